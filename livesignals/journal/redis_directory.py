"""What a reading process knows of all events without their bodies: when each began, its tree, its cause, errors.

Loaded once, then kept up to date with each look: about 30 bytes an event. A process that only writes has none.
"""

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from livesignals.journal import pins
from livesignals.journal.base import Bounds, Pin
from livesignals.journal.redis_entries import HASHES, TIMES, unpacked
from livesignals.journal.redis_server import Server

#: Entries that one call asks for; a hundred thousand events of small batches are about ten thousand.
SYNC_ENTRIES = 500
#: So many events that are gone are forgotten at once, or a quarter of all.
FORGOTTEN_EVENTS = 20_000


class Columns:
    """Events by place, ascending by id, and the entries that hold them. Only grows; see `Directory`."""

    def __init__(self) -> None:
        self.ids: array[int] = array("q")
        self.times: array[int] = array(TIMES)  # µs since 1970, UTC
        self.roots: array[int] = array(HASHES)
        self.causes: array[int] = array(HASHES)
        self.errors = bytearray()
        self.firsts: array[int] = array("q")  # of each entry
        self.lasts: array[int] = array("q")  # … which is its id

    def add(self, last: int, count: int, times: bytes, roots: bytes, causes: bytes, errors: bytes) -> None:
        first = last - count + 1
        # Who reads meanwhile goes by the ids, so that these come last.
        self.times += unpacked(TIMES, times)
        self.roots += unpacked(HASHES, roots)
        self.causes += unpacked(HASHES, causes)
        self.errors += errors
        self.firsts.append(first)
        self.lasts.append(last)
        self.ids.extend(range(first, last + 1))

    def without(self, gone_below: int, kept: list[tuple[int, int]]) -> "Columns":
        """A copy without the entries below an id that have nothing in these ranges."""
        columns = Columns()
        place = 0
        for first, last in zip(self.firsts, self.lasts, strict=True):
            end = place + last - first + 1
            if last >= gone_below or any(low <= last and first <= high for low, high in kept):
                for name in ("ids", "times", "roots", "causes", "errors"):
                    getattr(columns, name).extend(getattr(self, name)[place:end])
                columns.firsts.append(first)
                columns.lasts.append(last)
            place = end
        return columns


class View(NamedTuple):
    """What can be read, as of one moment."""

    bounds: Bounds
    pinned: list[tuple[int, int]]  # ranges of ids that are kept beyond that, ascending
    pins: list[Pin]
    pinning: int  # grows with each pin that is set or let go
    columns: Columns

    @property
    def first(self) -> int:
        """The first id that may be read; one above the last when there is none."""
        return self.pinned[0][0] if self.pinned else self.bounds.first

    def spans(self, low: int, high: int) -> list[tuple[int, int]]:
        """Places of the events with ``low <= id <= high``, as ranges without their ends, ascending."""
        ids, spans = self.columns.ids, []
        for first, last in (*self.pinned, (self.bounds.first, self.bounds.last)):
            begin, end = bisect_left(ids, max(first, low)), bisect_right(ids, min(last, high))
            if begin < end:
                spans.append((begin, end))
        return spans

    def with_hash(self, column: "array[int]", value: int) -> Iterator[int]:
        """Ids of the events with a number in a column, ascending."""
        for begin, end in self.spans(self.first, self.bounds.last):
            place = begin
            while True:
                try:
                    place = column.index(value, place, end)
                except ValueError:
                    break
                yield self.columns.ids[place]
                place += 1

    def entry_of(self, event_id: int) -> int:
        """The place of the entry that holds an event."""
        return bisect_left(self.columns.lasts, event_id)


class Directory:
    """The directory of a journal, for all threads of the process."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.abandon()

    def abandon(self) -> None:
        """In the child of a fork."""
        self._lock = threading.Lock()
        self._epoch = ""
        self._columns = Columns()

    def view(self) -> View:
        """As of now. Raises `JournalError`."""
        with self._lock:
            while True:
                columns = self._columns
                known = columns.lasts[-1] if columns.lasts else 0
                answer = self._server.call("sync", self._epoch, known, SYNC_ENTRIES)
                epoch = answer[0].decode()
                if epoch != self._epoch:
                    self._epoch, columns = epoch, Columns()
                    self._columns = columns
                entries = answer[5]
                for entry in entries:
                    columns.add(*entry)
                if len(entries) < SYNC_ENTRIES:
                    break
            view = _view(answer, columns)
            gone = bisect_left(columns.ids, view.bounds.first)
            gone -= sum(last - first + 1 for first, last in view.pinned)
            if gone > max(FORGOTTEN_EVENTS, len(columns.ids) // 4):
                self._columns = columns.without(view.bounds.first, view.pinned)
                view = view._replace(columns=self._columns)
            return view


def _view(answer: list[Any], columns: Columns) -> View:
    epoch, evicted, last, flat, pinning, _ = answer
    ranges = [Pin(name.decode(), *map(int, ids.split())) for name, ids in zip(flat[::2], flat[1::2], strict=True)]
    ranges.sort(key=lambda pin: (pin.first, pin.last))
    below = pins.ranges(ranges, below=evicted + 1)
    return View(Bounds(epoch.decode(), evicted + 1, last), below, ranges, pinning, columns)
