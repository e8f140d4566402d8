"""Where a field finds its values: in an event, in a row of the journal's ``events`` table, in a search index."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from livesignals.events import Event
from livesignals.filters.candidates import CONTAINER, INSTANCE, ITEMS, NULL, Candidates, Path, Segment, carried
from livesignals.filters.matchers import Matcher, Present
from livesignals.filters.sql import Sql, folded, json_path
from livesignals.filters.text import fold, scalar_text

Predicate = Callable[[Event], bool]
#: Names of which a term knows whether they match.
KNOWN_NAMES = 512


class Source(ABC):
    """Where values are. All methods say whether a matcher holds for any of them."""

    many: bool = False  # whether an event may have several values

    @abstractmethod
    def predicate(self, matcher: Matcher) -> Predicate: ...

    @abstractmethod
    def sql(self, matcher: Matcher) -> Sql: ...

    def candidates(self, segment: Segment, name: str, matcher: Matcher) -> Candidates:
        """*name* is the field's."""
        found = matcher.find(segment.column(name))
        return Candidates(found & ~segment.loose, found | segment.loose)


@dataclass(frozen=True)
class One(Source):
    """At most one value: what ``read`` gives, None for none; ``column`` is the same in SQL, NULL for none."""

    read: Callable[[Event], Any]
    column: str

    def predicate(self, matcher: Matcher) -> Predicate:
        read, check = self.read, matcher.check()
        return lambda event: (value := read(event)) is not None and check(value)

    def sql(self, matcher: Matcher) -> Sql:
        if isinstance(matcher, Present):
            return Sql(f"({self.column} IS NOT NULL AND {self.column} <> '')")
        return matcher.sql(self.column)


@dataclass(frozen=True)
class Name(One):
    """A folded name; ``name`` is as the event has it. Few names come again and again: of each it is kept whether it
    matches, since every open page asks that of every event."""

    name: Callable[[Event], str]

    def predicate(self, matcher: Matcher) -> Predicate:
        name, check = self.name, matcher.check()
        holds = lru_cache(KNOWN_NAMES)(lambda unfolded: check(fold(unfolded)))
        return lambda event: holds(name(event))


@dataclass(frozen=True)
class Each(Source):
    """Several texts; ``select`` is a query that gives them as its column ``value``."""

    read: Callable[[Event], Iterable[str]]
    select: str
    many = True

    def predicate(self, matcher: Matcher) -> Predicate:
        read, check = self.read, matcher.check()
        return lambda event: any(map(check, map(fold, read(event))))

    def sql(self, matcher: Matcher) -> Sql:
        condition = matcher.sql(folded("item.value"))
        return Sql(f"EXISTS (SELECT 1 FROM ({self.select}) AS item WHERE {condition.text})", condition.params)


@dataclass(frozen=True)
class Payload(Source):
    """What the send carried under a path of keys.

    Where the path as it stands leads nowhere, one of its steps may fall through to the "fields" of a model
    instance: ``instance.status`` is ``instance.fields.status``. A list stands for its items.
    """

    steps: tuple[str, ...]

    def predicate(self, matcher: Matcher) -> Predicate:
        steps = self.steps
        if isinstance(matcher, Present):
            return lambda event: _found(event.kwargs, steps) not in (None, _NOWHERE)
        check = matcher.check()

        def holds(event: Event) -> bool:
            value = _found(event.kwargs, steps)
            for item in value if type(value) is list else (value,):
                if item is not _NOWHERE and type(item) not in _CONTAINERS and check(fold(scalar_text(item))):
                    return True
            return False

        return holds

    def sql(self, matcher: Matcher) -> Sql:
        path = self._path()
        if isinstance(matcher, Present):
            return Sql(f"json_type(body, {path.text}) <> 'null'", path.params)
        condition = matcher.sql(folded("item.value"))
        # The text of a number is what the JSON says: SQLite would write a float in its own way.
        text = f"""EXISTS (SELECT 1 FROM (
            SELECT CASE WHEN type = 'text' THEN value WHEN type IN ('true', 'false', 'null') THEN type
                ELSE body -> (at.path || iif(key IS NULL, '', '[' || key || ']')) END AS value
            FROM (SELECT {path.text} AS path) AS at, json_each(body, at.path)
            WHERE type NOT IN ('object', 'array') AND typeof(key) <> 'text'
        ) AS item WHERE {condition.text})"""
        return Sql(text, path.params + condition.params)

    def candidates(self, segment: Segment, name: str, matcher: Matcher) -> Candidates:
        found, ways = 0, list(self._ways())
        for number, (path, instance) in enumerate(ways):
            matching = _matching(segment, path, matcher)
            if matching and instance:
                matching &= segment.column(carried((*instance, INSTANCE))).any
                for earlier, its_instance in ways[:number]:
                    matching &= ~_there(segment, earlier, its_instance)
            found |= matching
        return Candidates(found & ~segment.loose, found | segment.loose)

    def _ways(self) -> Iterator[tuple[Path, Path]]:
        """The paths that may lead to the value, and what has to be an instance; the first that leads somewhere does."""
        yield self.steps, ()
        for split in range(1, len(self.steps)):
            instance = self.steps[:split]
            yield (*instance, "fields", *self.steps[split:]), instance

    def _path(self) -> Sql:
        """The JSON path that leads to something, NULL when none does."""
        direct = json_path(self.steps)
        if len(self.steps) == 1:
            return Sql("?", (direct,))
        ways = [Sql("WHEN json_type(body, ?) IS NOT NULL THEN ?", (direct, direct))]
        for split in range(1, len(self.steps)):
            instance = self.steps[:split]
            model, pk = json_path((*instance, "model")), json_path((*instance, "pk"))
            way = json_path((*instance, "fields", *self.steps[split:]))
            is_instance = "json_type(body, ?) = 'text' AND json_type(body, ?) IS NOT NULL"
            test = f"{is_instance} AND json_type(body, ?) IS NOT NULL"
            ways.append(Sql(f"WHEN {test} THEN ?", (model, pk, way, way)))
        cases = " ".join(way.text for way in ways)
        return Sql(f"CASE {cases} END", tuple(value for way in ways for value in way.params))


def _there(segment: Segment, path: Path, instance: Path) -> int:
    """The events that carried anything under *path*, and an instance at *instance*, which is empty for any."""
    there = segment.column(carried(path)).any | segment.column(carried((*path, CONTAINER))).any
    return there & segment.column(carried((*instance, INSTANCE))).any if instance else there


def _matching(segment: Segment, path: Path, matcher: Matcher) -> int:
    if isinstance(matcher, Present):
        return _there(segment, path, ()) & ~segment.column(carried((*path, NULL))).any
    return matcher.find(segment.column(carried(path))) | matcher.find(segment.column(carried((*path, ITEMS))))


_NOWHERE = object()
_CONTAINERS = (dict, list)


def _found(kwargs: dict[str, Any], steps: tuple[str, ...]) -> Any:
    """The value under *steps*, or _NOWHERE."""
    value = _follow(kwargs, steps)
    if value is not _NOWHERE:
        return value
    instance: Any = kwargs
    for split, step in enumerate(steps[:-1], start=1):
        instance = _follow(instance, (step,))
        if instance is _NOWHERE:
            break
        if type(instance) is dict and type(instance.get("model")) is str and "pk" in instance:
            value = _follow(instance.get("fields"), steps[split:])
            if value is not _NOWHERE:
                return value
    return _NOWHERE


def _follow(value: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        if type(value) is not dict or step not in value:
            return _NOWHERE
        value = value[step]
    return value
