"""A segment of a search index: all columns of the events with ids in a fixed range.

Segment *n* holds the ids from ``n * SEGMENT_EVENTS + 1`` on. The newest one is kept in memory and takes events as
they come; one that is full is closed and stored, and not changed any more. What may change in an event, how its
transaction ended, is looked up only where it was known when the event was indexed.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from livesignals.events import Event
from livesignals.events.record import microseconds
from livesignals.filters import FIELDS, Filter
from livesignals.filters.candidates import CONTAINER, INSTANCE, ITEMS, NULL, Candidates
from livesignals.filters.flags import FLAGS, SLOW_US
from livesignals.filters.sources import Each, One
from livesignals.filters.text import TEXT_LIMIT, cause_text, fold, scalar_text
from livesignals.journal.search_columns import SEGMENT_EVENTS, ClosedColumn, Column, OpenColumn, Ordered

#: More columns than this are not made: an event that would need one is loose.
MAX_COLUMNS = 4_096
#: What can be counted, as it was written: names of columns.
SHOWN = {field: f"shown:{field}" for field in ("signal", "sender", "receiver", "cause")}
#: Columns that are lines of ``event_text`` as they are; those of `_Place` say more.
LINES = frozenset({"signal", "sender", "family", "method", "cause", "receiver", "line"})

_READ = {field.name: field.source.read for field in FIELDS if isinstance(field.source, One)}
_OF_CAUSE = [(name, _READ[name]) for name in ("cause", "path", "user", "command")]
_OF_ONE_EVENT = {"is", "id", "ts", "dur", "uid", "root", "parent"}
_ONE = [(name, read) for name, read in _READ.items() if name not in {*_OF_ONE_EVENT, *dict(_OF_CAUSE)}]
_EACH: list[tuple[str, Callable[[Event], Any]]] = [
    (field.name, field.source.read) for field in FIELDS if isinstance(field.source, Each)
]
_NOTHING = OpenColumn()


class Segment:
    """What closed segments and the open one have in common."""

    number: int
    everything: int
    loose: int
    unsettled: int
    cut: int
    times: "array[int]"  # µs since 1970, by place
    is_sorted: bool

    @property
    def first(self) -> int:
        """The id of the event at place 0."""
        return self.number * SEGMENT_EVENTS + 1

    def candidates(self, filter: Filter) -> Candidates:
        """The events that the filter holds, as far as the segment tells."""
        return filter.candidates(self)

    def column(self, name: str) -> Column:
        if name == "id":
            return Ordered(range(self.first, self.first + SEGMENT_EVENTS), self.everything, sorted=True)
        if name == "ts":
            return Ordered(self.times, self.everything, sorted=self.is_sorted)
        return self.named(name) or _NOTHING

    def named(self, name: str) -> OpenColumn | ClosedColumn | None:
        raise NotImplementedError

    def lines(self) -> Iterator[tuple[str, OpenColumn | ClosedColumn]]:
        """The columns that ``event_text`` is made of, each with its key; "" for those without."""
        raise NotImplementedError

    def saying(self, needle: str) -> int:
        found = 0
        for key, column in self.lines():
            if not key:
                found |= column.saying(needle)
            elif needle in f"{key}=":
                found |= column.any
            else:
                found |= column.saying(needle)
                left, equals, right = needle.partition("=")
                while equals:
                    if key.endswith(left):
                        found |= column.holding(max(right.split(" "), key=len), _begins(right))
                    more, equals, right = right.partition("=")
                    left = f"{left}={more}"
        return found


def _begins(start: str) -> Callable[[str], bool]:
    return lambda text: text.replace("\n", " ").startswith(start)


class _Place(OpenColumn):
    """The column of one path of keys into what was carried, and what is below it."""

    def __init__(self, path: str, key: str) -> None:
        super().__init__()
        self.path = path  # of a column, see `carried`
        self.key = key
        self.below: dict[str | int, _Place] = {}


class OpenSegment(Segment):
    """Takes events one after the other, by ascending id."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.everything = self.loose = self.unsettled = self.cut = 0
        self.times = array("q")
        self.is_sorted = True
        self.columns: dict[str, OpenColumn] = {}
        self._alike: dict[Any, list[list[int]]] = {}
        self._carried = _Place("kwargs:", "")
        self._changes = _Place("changes:", "")

    def add(self, event: Event, size: int) -> None:
        """*size*: bytes of its body."""
        place = event.id - self.first
        times, moment = self.times, microseconds(event.ts)
        if times and moment < times[-1]:
            self.is_sorted = False
        times.extend([times[-1] if times else moment] * (place - len(times)))  # of those that are gone
        times.append(moment)
        bit = 1 << place
        self.everything |= bit
        if event.transaction is not None and event.transaction.state in ("pending", "unknown"):
            self.unsettled |= bit
        if 2 * size > TEXT_LIMIT:  # two, since letters may become more when they are folded
            self.cut |= bit
        try:
            self._add_fields(event, place)
            self._add_items(self._carried, event.kwargs, place)
            if event.changes:
                self._add_items(self._changes, event.changes, place)
        except _Unfit:
            self.loose |= bit

    def _add_fields(self, event: Event, place: int) -> None:
        kind = _kind(event)
        alike = self._alike.get(kind)
        if alike is None:
            alike = self._alike[kind] = self._places_of_all(set(_values(event)))
        cause = event.cause and (event.cause.kind, event.cause.name, event.cause.user)
        caused = self._alike.get(cause)
        if caused is None:
            caused = self._alike[cause] = self._places_of_all(_values_of_cause(event))
        for places in alike:
            places.append(place)
        for places in caused:
            places.append(place)
        if "\0" in f"{event.uid}{event.root}{event.parent}":
            raise _Unfit
        if event.duration_us is not None:
            self._places_of("dur", repr(event.duration_us)).append(place)
        self._places_of("uid", event.uid).append(place)
        self._places_of("root", event.root).append(place)
        if event.parent is not None:
            self._places_of("parent", event.parent).append(place)

    def _places_of_all(self, values: Iterable[tuple[str, str]]) -> list[list[int]]:
        values = list(values)
        if any("\0" in text for _, text in values):
            raise _Unfit
        return [self._places_of(name, text) for name, text in values]

    def _places_of(self, name: str, text: str) -> list[int]:
        column = self.columns.get(name)
        if column is None:
            column = self.columns[name] = OpenColumn()
        places = column.places.get(text)
        if places is None:
            places = column.places[text] = []
        return places

    def _add(self, at: _Place, value: Any, place: int) -> None:
        kind = type(value)
        if kind is dict:
            self._mark(at, CONTAINER, at.key, place)
            if type(value.get("model")) is str and "pk" in value:
                self._mark(at, INSTANCE, "", place)
            self._add_items(at, value, place)
            return
        if kind is list:
            self._mark(at, CONTAINER, at.key, place)
            items = at.below.get(ITEMS) or self._place(at, ITEMS)
            for item in value:
                self._add(items, item, place)
            return
        if kind is str:
            text = value.casefold()
            if "\0" in text:
                text = fold(text)
        elif value is None:
            text = "null"
            self._mark(at, NULL, "", place)
        else:
            text = fold(scalar_text(value))
        places = at.places.get(text)
        if places is None:
            at.places[text] = [place]
        elif places[-1] != place:
            places.append(place)

    def _add_items(self, at: _Place, items: dict[str, Any], place: int) -> None:
        below = at.below
        for key, item in items.items():
            self._add(below.get(key) or self._place(at, key), item, place)

    def _mark(self, at: _Place, step: int, text: str, place: int) -> None:
        places = (at.below.get(step) or self._place(at, step)).places.setdefault(text, [])
        if not places or places[-1] != place:
            places.append(place)

    def _place(self, at: _Place, step: str | int) -> _Place:
        if len(self.columns) >= MAX_COLUMNS or (type(step) is str and "\0" in step):
            raise _Unfit
        name = step if type(step) is str else f"\0{step}"
        is_top = at is self._carried or at is self._changes
        path = f"{at.path}{name}" if is_top else f"{at.path}\0{name}"
        below = at.below[step] = _Place(path, fold(step).replace("\n", " ") if type(step) is str else "")
        self.columns[path] = below
        return below

    def named(self, name: str) -> OpenColumn | ClosedColumn | None:
        return self.columns.get(name)

    def lines(self) -> Iterator[tuple[str, OpenColumn]]:
        for name, column in self.columns.items():
            key = self.key(name)
            if key is not None:
                yield key, column

    def key(self, name: str) -> str | None:
        """What stands before each value of a column in ``event_text``, None when they are not in there."""
        column = self.columns[name]
        if isinstance(column, _Place):
            return None if name[-2:] in _SILENT else column.key
        return "" if name in LINES else None


class _Unfit(Exception):
    """An event that cannot be indexed as a whole."""


_SILENT = {f"\0{NULL}", f"\0{INSTANCE}"}


def _kind(event: Event) -> Any:
    """What `_values` depends on: many events have it in common."""
    transaction, process = event.transaction, event.process
    return (
        event.signal,
        event.family,
        event.sender,
        event.method,
        event.status,
        event.where,
        event.thread,
        process.host,
        process.pid,
        event.parent is None,
        event.duration_us is not None and event.duration_us >= SLOW_US,
        transaction and (transaction.db, transaction.state),
        event.error and (event.error.type, event.error.message),
        *[
            (call.name, call.status, call.is_async, call.error and (call.error.type, call.error.message))
            for call in event.receivers
        ],
        *event.flags,
        None,
        *(event.changes or ()),
    )


def _values(event: Event) -> Iterator[tuple[str, str]]:
    """Names of columns, and the values that the event has in them, but for what is of its cause or it alone."""
    yield from _read(_ONE, event)
    for name, read_all in _EACH:
        for value in read_all(event):
            yield name, fold(value)
    for word, flag in FLAGS.items():
        if flag.holds(event):
            yield "is", word
    yield SHOWN["signal"], event.signal
    yield SHOWN["sender"], event.sender
    for call in event.receivers:
        yield SHOWN["receiver"], call.name
    if event.where:
        yield "line", fold(event.where)
    for error in (event.error, *(call.error for call in event.receivers)):
        if error is not None:
            yield "line", fold(f"{error.type} {error.message}")


def _values_of_cause(event: Event) -> Iterator[tuple[str, str]]:
    yield from _read(_OF_CAUSE, event)
    if event.cause is not None:
        yield SHOWN["cause"], cause_text(event.cause)


def _read(fields: list[tuple[str, Callable[[Event], Any]]], event: Event) -> Iterator[tuple[str, str]]:
    for name, read in fields:
        value = read(event)
        if value is not None:
            yield name, value if type(value) is str else repr(value)
