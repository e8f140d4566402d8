"""Tracks of a trace: which process and thread a slice is drawn on.

Slices of one track must nest, and sends of one thread may overlap: of coroutines on an event loop, or of two threads
of one name. So a thread has as many *lanes* as overlap, each a track of its own; a slice takes the first that is free.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from livesignals.events import Process

Entry = dict[str, Any]  # one object of the trace's list of events

#: Event times are whole microseconds, cut off: what seems to overlap by less does not.
TOLERANCE_US = 1.0
MAX_THREADS = 2_000
MAX_PROCESSES = 1_000
#: Of Linux, and far above it our own numbers: of threads, and of processes whose pid another host's has.
_HIGHEST_PID = 4_194_304
_OWN_NUMBERS = 10_000_000


class Lane(Struct, eq=False):
    """One track. Times are µs since the trace's origin."""

    pid: int
    tid: int
    free_from: float = 0.0


class _Thread(Struct, eq=False):
    pid: int
    name: str
    lanes: list[Lane] = []


class Tracks:
    """Gives out lanes, and says by what names they go. The processes and threads seen last are remembered."""

    def __init__(self) -> None:
        self._numbers = _OWN_NUMBERS
        self._pids: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._threads: OrderedDict[tuple[str, int, str, str], _Thread] = OrderedDict()
        self._names: list[Entry] = []

    def take(self, process: Process, thread: str, begin: float, end: float, kind: str = "") -> tuple[Lane, float]:
        """A lane of *thread* that is free from *begin* to *end*, and where the slice begins: a little later, maybe.

        *kind* sets apart what is no thread but named as if it were.
        """
        lanes = self._lanes(process, thread, kind)
        for lane in lanes:
            if begin >= lane.free_from - TOLERANCE_US:
                begin = max(begin, lane.free_from)
                break
        else:
            lane = self._add_lane(process, thread, kind)
        lane.free_from = max(begin, end)
        return lane, begin

    def first(self, process: Process, thread: str) -> Lane:
        """The thread's first lane, for what takes no time."""
        lanes = self._lanes(process, thread, "")
        return lanes[0] if lanes else self._add_lane(process, thread, "")

    def has(self, process: Process, thread: str, lane: Lane) -> bool:
        """Whether *lane* is one of the thread's."""
        return lane in self._lanes(process, thread, "")

    def names(self) -> Iterator[Entry]:
        """The names of what was not there the last time."""
        names, self._names = self._names, []
        yield from names

    def _lanes(self, process: Process, thread: str, kind: str) -> list[Lane]:
        return self._thread(process, thread, kind).lanes

    def _thread(self, process: Process, name: str, kind: str) -> _Thread:
        key = (process.host, process.pid, name, kind)
        thread = self._threads.get(key)
        if thread is None:
            thread = self._threads[key] = _Thread(self._pid(process), name)
            if len(self._threads) > MAX_THREADS:
                self._threads.popitem(last=False)
        self._threads.move_to_end(key)
        return thread

    def _add_lane(self, process: Process, name: str, kind: str) -> Lane:
        thread = self._thread(process, name, kind)
        lane = Lane(thread.pid, self._number())
        thread.lanes.append(lane)
        number = len(thread.lanes)
        shown = name if number == 1 else f"{name} ({number})"
        self._name("thread_name", lane, name=shown)
        self._name("thread_sort_index", lane, sort_index=lane.tid)
        return lane

    def _pid(self, process: Process) -> int:
        key = (process.host, process.pid)
        pid = self._pids.get(key)
        if pid is None:
            is_free = 0 < process.pid <= _HIGHEST_PID and process.pid not in self._pids.values()
            pid = self._pids[key] = process.pid if is_free else self._number()
            if len(self._pids) > MAX_PROCESSES:
                self._pids.popitem(last=False)
            self._name("process_name", Lane(pid, pid), name=f"{process.host} {process.pid}")
        return pid

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _name(self, what: str, lane: Lane, **args: Any) -> None:
        self._names.append({"ph": "M", "name": what, "pid": lane.pid, "tid": lane.tid, "args": args})
