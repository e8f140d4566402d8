"""What sends ran inside, as slices of a trace, with an arrow to each topmost send.

How long a request or command was is only known from its sends, so its slice is drawn when no more of them is expected:
when many others have been seen since, or at the end. A cause that goes on after that gets a second slice.
"""

from collections import OrderedDict
from collections.abc import Iterator
from math import inf

from msgspec import Struct

from livesignals.events import Cause, Event, Process
from livesignals.exchange.trace_tracks import Entry, Lane, Tracks

MAX_OPEN = 256
#: Arrows that may wait for their slice; a cause with more gets a lane of its own at once.
MAX_WAITING = 200
#: A cause begins so long before its first send, for arrows to have room to begin in.
LEAD_US = 1.0


class _Open(Struct, eq=False):
    cause: Cause
    process: Process
    begin: float
    end: float
    sends: int = 0
    waiting: list[tuple[int, float]] = []  # arrows: number, when the send began
    lane: Lane | None = None


class Causes:
    """The causes of the sends that pass, the latest 256 of them at a time."""

    def __init__(self, tracks: Tracks) -> None:
        self._tracks = tracks
        self._open: OrderedDict[tuple[str, int, str, str], _Open] = OrderedDict()

    def add(self, event: Event, begin: float, end: float, arrow: int) -> Iterator[Entry]:
        """A topmost send, which *arrow* leads to."""
        cause = event.cause
        assert cause is not None
        key = (event.process.host, event.process.pid, cause.kind, cause.id)
        known = self._open.get(key)
        if known is None:
            known = self._open[key] = _Open(cause, event.process, begin - LEAD_US, end)
            if len(self._open) > MAX_OPEN:
                yield from self._close(self._open.popitem(last=False)[1])
        self._open.move_to_end(key)
        known.sends += 1
        known.end = max(known.end, end)
        known.cause = cause  # the last send of a request knows its status
        if known.lane is None:
            known.begin = min(known.begin, begin - LEAD_US)
            known.waiting.append((arrow, begin))
            if len(known.waiting) >= MAX_WAITING:
                yield from self._settle(known, inf)
        else:
            yield _arrow(known, known.lane, arrow, begin)

    def close(self) -> Iterator[Entry]:
        """Draw what is still open."""
        while self._open:
            yield from self._close(self._open.popitem(last=False)[1])

    def _settle(self, known: _Open, until: float) -> Iterator[Entry]:
        """Give it a lane; from now on its arrows can begin there."""
        thread = f"{known.cause.kind}s" if known.cause.kind != "process" else "process"
        known.lane, known.begin = self._tracks.take(known.process, thread, known.begin, until, kind="cause")
        for arrow, begin in known.waiting:
            yield _arrow(known, known.lane, arrow, begin)
        known.waiting = []

    def _close(self, known: _Open) -> Iterator[Entry]:
        arrows = [] if known.lane else list(self._settle(known, known.end))
        assert known.lane is not None
        known.lane.free_from = known.end = max(known.end, known.begin)
        cause = known.cause
        said = {"id": cause.id, "kind": cause.kind, "sends": known.sends}
        said |= {name: getattr(cause, name) for name in ("route", "status", "user") if getattr(cause, name) is not None}
        yield {
            "ph": "X",
            "name": cause.name or cause.kind,
            "cat": f"cause,{cause.kind}",
            "pid": known.lane.pid,
            "tid": known.lane.tid,
            "ts": round(known.begin, 3),
            "dur": round(round(known.end, 3) - round(known.begin, 3), 3),
            "args": said,
        }
        yield from arrows


def _arrow(known: _Open, lane: Lane, number: int, begin: float) -> Entry:
    # Strictly before the send begins: readers sort by time and want the beginning of an arrow first.
    begin = max(begin - LEAD_US / 2, known.begin)
    return {
        "ph": "s",
        "name": "cause",
        "cat": "cause",
        "id": number,
        "pid": lane.pid,
        "tid": lane.tid,
        "ts": round(begin, 3),
    }
