"""The search index of a journal: how it is filled, and the parts of the journal that it knows.

Only who reads events pays for it: the server indexes in the background (`SearchIndex.step`), everybody else uses what
is there. What is not indexed yet is searched without it, so that it is never waited for.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw

from livesignals.events import Event
from livesignals.exceptions import JournalUnavailable
from livesignals.journal.base import Bounds, Indexed
from livesignals.journal.search_columns import SEGMENT_EVENTS, places_of
from livesignals.journal.search_file import SearchFile, Unfit, delete, prepared
from livesignals.journal.search_segment import OpenSegment, Segment
from livesignals.journal.sqlite_file import folder_lock

FORK_SECONDS = 1.0
#: What tells that the file has to be made anew.
UNUSABLE = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, Unfit)

#: At most so many events, with the bytes of their bodies, with ``after < id <= until``, ascending.
Read = Callable[[int, int, int], list[tuple[Event, int]]]


class Span(NamedTuple):
    """Ids from ``low`` to ``high``, all in one segment (None when they are not indexed) or in one pinned range."""

    low: int
    high: int
    segment: Segment | None
    rows: str = "searchable"  # the view of its rows

    @property
    def length(self) -> int:
        return self.high - self.low + 1

    @property
    def within(self) -> int:
        """Its events, as a set of its segment's."""
        begin, end = ((number - 1) % SEGMENT_EVENTS for number in (self.low, self.high))
        return ((1 << (end + 1)) - 1) ^ ((1 << begin) - 1)

    def ids(self, events: int) -> list[int]:
        """The ids of a set of its segment's events, ascending."""
        assert self.segment is not None
        first = self.segment.first
        return [first + place for place in places_of(events)]


class _Filling:
    """A segment that is being filled, up to an id."""

    def __init__(self, number: int, first: int) -> None:
        self.segment = OpenSegment(number)
        self.upto = max(number * SEGMENT_EVENTS, first - 1)
        self.end = (number + 1) * SEGMENT_EVENTS

    @property
    def is_full(self) -> bool:
        return self.upto == self.end


class SearchIndex:
    """The index of the journal at a path, for all threads of the process."""

    def __init__(self, journal: Path) -> None:
        self.path = journal.with_name(f"{journal.name}-search")
        self.problem = ""  # why there is no index
        self._begin()
        _indexes.add(self)

    def _begin(self) -> None:
        self._stepping = threading.Lock()
        self._lock = threading.RLock()  # guards what follows, while it is used
        self._epoch = ""
        self._file: SearchFile | None = None
        self._newest: _Filling | None = None
        self._older: _Filling | None = None

    def step(self, bounds: Bounds, read: Read, most: int) -> bool:
        """Index up to *most* more events, the newest segment first. Says whether there are more.

        Raises what *read* raises.
        """
        with self._stepping:
            try:
                with self._lock:
                    file = self._opened(bounds.epoch, make=True)
                    assert file is not None
                    filling = self._next(file, bounds)
                    if filling is None:
                        return False
                    until = min(filling.end, bounds.last)
                    rows = read(filling.upto, most, until)
                    _fill(filling, rows, until if len(rows) < most else rows[-1][0].id)
                if filling.is_full:
                    # Searches go on meanwhile: a full segment is not changed any more.
                    rest = prepared(filling.segment)
                    with self._lock:
                        file.add(rest)
                        file.forget(below=(bounds.first - 1) // SEGMENT_EVENTS)
                        if filling is self._newest:
                            self._newest = None
                        else:
                            self._older = None
                self.problem = ""
                with self._lock:
                    return self._next(file, bounds) is not None
            except UNUSABLE:
                self.start_over()
                return True
            except (apsw.Error, OSError, JournalUnavailable) as error:
                self.problem = str(error)
                return False

    def _next(self, file: SearchFile, bounds: Bounds) -> _Filling | None:
        """What is to be filled next: the segment of the newest events, else the newest that is missing."""
        newest = self._newest
        if newest is None or newest.upto < bounds.first - 1:
            newest = self._newest = _Filling(bounds.last // SEGMENT_EVENTS, bounds.first)
        if newest.upto < bounds.last:
            return newest
        first = (bounds.first - 1) // SEGMENT_EVENTS
        if self._older is None or self._older.upto < bounds.first - 1:
            missing = set(range(first, newest.segment.number)).difference(file.numbers())
            self._older = _Filling(max(missing), bounds.first) if missing else None
        return self._older

    def _opened(self, epoch: str, *, make: bool) -> SearchFile | None:
        """The file, open; None when there is none and none is to be made. Raises as `SearchFile` does."""
        if self._file is not None and not (self._file.epoch == epoch and self._file.in_place):
            self._file.close()
            self._file = None
        if self._epoch != epoch:
            self._newest = self._older = None
            self._epoch = epoch
        if self._file is None and (make or self.path.exists()):
            with folder_lock(self.path.parent):
                self._file = SearchFile(self.path, epoch, make=make)
        return self._file

    def start_over(self) -> None:
        """Delete a file that cannot be used; the next step makes another."""
        with self._lock:
            self._close()
            self._newest = self._older = None
            try:
                with folder_lock(self.path.parent):
                    delete(self.path)
            except (OSError, JournalUnavailable) as error:
                self.problem = str(error)

    @contextmanager
    def parts(self, epoch: str) -> Iterator["Parts"]:
        """What is indexed of this epoch. Nobody else searches meanwhile."""
        with self._lock:
            try:
                file = self._opened(epoch, make=False)
            except (apsw.Error, OSError, Unfit, JournalUnavailable):
                file = None
            yield Parts(file, self._newest)

    def state(self, bounds: Bounds) -> Indexed:
        """How much of what is retained is indexed."""
        with self.parts(bounds.epoch) as parts:
            spans = list(parts.spans(bounds.first, bounds.last))
            events = sum(span.length for span in spans if span.segment is not None)
            return Indexed(events, parts.file.size() if parts.file else 0)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def abandon(self) -> None:
        """In the child of a fork: forget what the parent had open."""
        if self._file is not None:
            _abandoned.append(self._file)
        self._begin()


class Parts:
    """The segments that can be asked. Use it only within `SearchIndex.parts`."""

    def __init__(self, file: SearchFile | None, newest: _Filling | None) -> None:
        self.file = file
        self._newest = newest

    def spans(self, low: int, high: int, *, downwards: bool = False) -> Iterator[Span]:
        """All ids from *low* to *high*, in parts that each lie in one segment, in order."""
        numbers = range((low - 1) // SEGMENT_EVENTS, (high - 1) // SEGMENT_EVENTS + 1) if low <= high else range(0)
        for number in reversed(numbers) if downwards else numbers:
            begin, end = max(low, number * SEGMENT_EVENTS + 1), min(high, (number + 1) * SEGMENT_EVENTS)
            segment, upto = self._segment(number)
            spans = [Span(begin, min(end, upto), segment), Span(max(begin, upto + 1), end, None)]
            for span in reversed(spans) if downwards else spans:
                if span.low <= span.high:
                    yield span

    def _segment(self, number: int) -> tuple[Segment | None, int]:
        """A segment, and the last id that it knows."""
        if self._newest is not None and self._newest.segment.number == number:
            return self._newest.segment, self._newest.upto
        segment = self.file.segment(number) if self.file else None
        return (None, number * SEGMENT_EVENTS) if segment is None else (segment, (number + 1) * SEGMENT_EVENTS)


def _fill(filling: _Filling, rows: list[tuple[Event, int]], upto: int) -> None:
    for event, size in rows:
        filling.segment.add(event, size)
    filling.upto = upto


# As for the journal's own connections, none is open at a fork: see sqlite_opening.

_indexes: weakref.WeakSet[SearchIndex] = weakref.WeakSet()
_forking: list[SearchIndex] = []
_abandoned: list[SearchFile] = []  # never collected, since that would close them


def _before_fork() -> None:
    for index in list(_indexes):
        if index._lock.acquire(timeout=FORK_SECONDS):
            _forking.append(index)
            index._close()


def _after_fork_in_parent() -> None:
    while _forking:
        _forking.pop()._lock.release()


def _after_fork_in_child() -> None:
    _forking.clear()
    for index in list(_indexes):
        index.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
