"""Where a field finds its values: in an event, and in a row of the journal's ``events`` table."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from livesignals.events import Event
from livesignals.filters.matchers import Matcher, Present
from livesignals.filters.sql import Sql, folded, json_path
from livesignals.filters.text import fold, scalar_text

Predicate = Callable[[Event], bool]


class Source(ABC):
    """Where values are. Both methods say whether a matcher holds for any of them."""

    many: bool = False  # whether an event may have several values

    @abstractmethod
    def predicate(self, matcher: Matcher) -> Predicate: ...

    @abstractmethod
    def sql(self, matcher: Matcher) -> Sql: ...


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
