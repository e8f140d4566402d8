"""Sends that are counted instead of kept: how many of each signal and sender there were in a second, and how long
they took together.

On the project's thread: :func:`exceeds`, :func:`begin`, :func:`end` and :meth:`Ledger.add`, without a lock. Each thread
adds to cells of its own, which only ever grow; the flusher's thread reads them all and tells what came since it read
them last (:meth:`Ledger.taken`), so that nothing is lost and nothing is told twice.
"""

import itertools
import threading
import weakref
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, ClassVar, final

from msgspec import Struct

from livesignals.capture import scope, signals

clock = perf_counter_ns

#: Signals and senders that one thread tells apart within a second. A project may make senders up, without end.
MAX_CELLS = 1_000
OTHER_SENDERS = "other senders"
SECOND_NS = 1_000_000_000
#: Why a send was counted instead of kept: flags of its count. Those that COUNT names have none.
SAMPLED, FLOODED, TOO_DEEP = "sampled", "flooded", "deep"


class Over(list[Any]):
    """Takes the receiver calls of a send that is over or only counted, and keeps none."""

    def append(self, call: Any) -> None: ...


OVER = Over()


@final
class CountedSend(Struct, eq=False, gc=False):
    """One dispatch while it runs, in the place of a :class:`~livesignals.capture.sends.Send`.

    For what its receivers send it stands in for the send or cause around it.
    """

    signal: signals.SignalState
    sender: str
    began: int
    why: str
    outer: Any = None  # what to return to; None without receivers, and once ended
    cause: Any = None
    number: int = 0
    root: int = 0
    depth: int = 0
    nested: int = 0
    is_skipped: bool = False
    receivers: Any = ()
    error: Any = None
    calls: ClassVar[Over] = OVER
    drivers: ClassVar[Over] = OVER


@final
class Count(Struct, eq=False):
    """The sends of one signal and sender that ended in the same way, since they were told last."""

    signal: signals.SignalState
    sender: str
    status: str  # returned, raised or skipped
    why: str = ""  # SAMPLED, FLOODED or TOO_DEEP; "": COUNT names its signal
    sends: int = 0
    duration_ns: int = 0  # of all of them
    number: int = 0  # among the sends of the process, as the flusher gives it
    began: int = 0  # from when on they were counted, on the clock of sends
    ended: int = 0


#: Takes the signal's state, the sender, a status, why it is counted, and when the send began and ended.
Sink = Callable[[signals.SignalState, str, str, str, int, int], None]


def _nowhere(state: signals.SignalState, sender: str, status: str, why: str, began: int, ended: int) -> None:
    """The sink before one is given."""


_sink: Sink = _nowhere


def get_count_sink() -> Sink:
    return _sink


def set_count_sink(sink: Sink) -> None:
    """What takes each send that is counted, once it has ended. Called on the project's thread: it must not block."""
    global _sink
    _sink = sink


def begin(state: signals.SignalState, sender: str, why: str, outer: Any, returns_to: Any, signal: Any) -> CountedSend:
    """A dispatch that begins now and is counted."""
    send = CountedSend(state, sender, clock(), why)
    if signal.receivers or state.overrides:
        send.outer, send.cause = returns_to, outer.cause
        if outer.depth:
            send.number, send.root, send.depth = outer.number, outer.root, outer.depth
        else:
            send.depth = 1
        scope.current.set(send)
    return send


def end(send: CountedSend) -> None:
    """The dispatch is over."""
    ended = clock()
    if send.outer is not None:
        if scope.current.get() is send:
            scope.current.set(send.outer)
        send.outer = None
        send.receivers = ()
    status = "returned"
    if send.error is not None:
        status, send.error = "raised", None
    elif send.is_skipped:
        status = "skipped"
    if send.signal.on_end is not None:
        send.signal.on_end()
    _sink(send.signal, send.sender, status, send.why, send.began, ended)


def count(send: Any, status: str, why: str) -> None:
    """Count a send that was recorded and is not to be kept."""
    _sink(send.signal, send.sender, status, why, send.began, send.ended)


#: By second of the clock: how many were kept, by signal and sender. Counters, for they count without a lock.
_windows: dict[int, dict[tuple[int, str], Callable[[], int]]] = {}


def exceeds(state: signals.SignalState, sender: str) -> bool:
    """Whether a send that begins now is one more than are to be kept of its signal and sender in this second."""
    second = clock() // SECOND_NS
    window = _windows.get(second)
    if window is None:
        window = _windows.setdefault(second, {})
        for passed in _windows.copy():
            if passed < second:
                _windows.pop(passed, None)
    key = (id(state), sender)
    kept = window.get(key)
    if kept is None:
        if len(window) >= MAX_CELLS:
            key = (id(state), OTHER_SENDERS)
        kept = window.setdefault(key, itertools.count().__next__)
    return kept() >= (state.keeps or 0)


Key = tuple[int, str, str, str]  # id of the signal's state, which the cell keeps alive; sender; status; why


class _Cell:
    """What one thread counted of one key: figures that only this thread writes, and how far the flusher told them."""

    __slots__ = ("duration_ns", "sends", "signal", "told_ns", "told_sends")  # written more quickly than a Struct's

    def __init__(self, signal: signals.SignalState) -> None:
        self.signal = signal
        self.sends = self.duration_ns = self.told_sends = self.told_ns = 0


class _Life:
    """Lives as long as what it is given to."""

    __slots__ = ("__weakref__",)


class _Page(Struct, eq=False):
    """The cells that one thread writes, until it ends or takes a new page."""

    cells: dict[Key, _Cell]
    life: "weakref.ref[_Life]"


class _Mine(threading.local):
    """The running thread's own page. Made in each thread when it first asks."""

    def __init__(self, ledger: "Ledger") -> None:
        self.turn(ledger)

    def turn(self, ledger: "Ledger") -> None:
        """Take a new page. The old one is the ledger's alone from now on."""
        self.life = _Life()
        self.cells: dict[Key, _Cell] = {}
        self.taken = ledger.times_taken
        ledger.pages[id(self.cells)] = _Page(self.cells, weakref.ref(self.life))


class Ledger:
    """The counts of one process. Any thread adds to it, one reads it."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """*wake* is called, on the project's thread, with the first send that is counted after a reading."""
        self._wake = wake
        self.reset()

    def reset(self) -> None:
        """Forget everything. In the child of a fork."""
        self.since: int | None = None  # when the first send ended that is not told yet
        self.times_taken = 0
        self.pages: dict[int, _Page] = {}
        self._mine = _Mine(self)

    def add(self, state: signals.SignalState, sender: str, status: str, why: str, began: int, ended: int) -> None:
        """Count a send that has ended. The sink of counts."""
        key = (id(state), sender, status, why)
        cell = self._mine.cells.get(key) or self._new_cell(state, key)
        # Nothing is called between reading and writing a figure: nothing that interrupts the thread can come between.
        cell.duration_ns += ended - began
        cell.sends += 1
        if self.since is None:
            self.since = ended
            self._wake()

    def _new_cell(self, signal: signals.SignalState, key: Key) -> _Cell:
        mine = self._mine
        if len(mine.cells) >= MAX_CELLS:
            if mine.taken == self.times_taken:  # all within a second
                key = (key[0], OTHER_SENDERS, *key[2:])
            else:
                mine.turn(self)
        return mine.cells.setdefault(key, _Cell(signal))

    def taken(self) -> list[Count]:
        """What was counted since the last time. On the flusher's thread."""
        since, self.since = self.since, None  # before the cells are read: who adds later sets it again
        now = clock()
        self.times_taken += 1
        counts: dict[Key, Count] = {}
        for number, page in self.pages.copy().items():
            is_over = page.life() is None  # before it is read: nothing is added any more
            for key, cell in page.cells.copy().items():
                sends, duration_ns = cell.sends, cell.duration_ns
                if sends == cell.told_sends:
                    continue
                count = counts.get(key)
                if count is None:
                    count = counts[key] = Count(cell.signal, *key[1:], began=now if since is None else since)
                count.sends += sends - cell.told_sends
                count.duration_ns += duration_ns - cell.told_ns
                cell.told_sends, cell.told_ns = sends, duration_ns
            if is_over:
                del self.pages[number]
        now = clock()
        for count in counts.values():
            count.ended = now
        return list(counts.values())
