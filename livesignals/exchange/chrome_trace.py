"""Chrome trace events, which Perfetto, speedscope and the browser's own tracing page open.

The format is `Google's "Trace Event Format"`__, its JSON object form. Each send is a slice (``"ph": "X"``) on the track
of its thread, its receivers are slices inside it, and the sends that they made are inside those. Arrows (flows, ``"s"``
and ``"f"``) lead from a receiver to each send it made, on other threads too, and from a request, command, task or test,
which has a track beside the threads, to its topmost sends. Skipped sends are instants. What went wrong has a cross
before its name, the category "error" and the colour "terrible".

Times are microseconds since ``otherData.origin``: since 1970 they would be too long for what reads numbers as doubles.

An event is stored when its send ends, so most of what a send caused comes before it, and waits for it; but no more than
4,000 events do, then the tree that has waited longest is drawn as it is known. What comes later, of a thread that went
on, finds its parent among the 4,000 sends that were drawn last. Beyond both, an arrow is missing.

__ https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from livesignals.events import Event, ReceiverCall
from livesignals.events.record import microseconds
from livesignals.exchange.trace_causes import LEAD_US, Causes
from livesignals.exchange.trace_tracks import TOLERANCE_US, Entry, Lane, Tracks

MAX_WAITING = 4_000
MAX_DRAWN = 4_000
#: What is inside begins so much later, where arrows from around it begin, and ends so much earlier, whatever way a
#: reader rounds to nanoseconds.
EDGE_US = 0.002
ORIGIN_US = 24 * 3_600_000_000  # before the first event, since others may have begun earlier
CROSS = "✗ "

_encode = msgspec.json.Encoder().encode


def write(events: Iterable[Event]) -> Iterator[str]:
    """The trace, piece by piece."""
    trace: _Trace | None = None
    between = ""
    for event in events:
        if trace is None:
            origin_us = max(0, microseconds(event.ts) - ORIGIN_US)
            trace = _Trace(origin_us)
            yield _head(origin_us)
        for entry in trace.add(event):
            yield between + _encode(entry).decode()
            between = ",\n"
    if trace is None:
        yield _head(0)
    else:
        for entry in trace.close():
            yield between + _encode(entry).decode()
            between = ",\n"
    yield "\n]}\n"


def _head(origin_us: int) -> str:
    origin = datetime.fromtimestamp(origin_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    said = _encode({"exporter": "livesignals", "v": 1, "origin": origin}).decode()
    return f'{{"displayTimeUnit":"ms","otherData":{said},"traceEvents":[\n'


class _Slice(Struct, eq=False):
    """A stretch of time on a track, in µs since the origin."""

    lane: Lane
    begin: float
    end: float
    free_from: float = 0.0  # up to here others are inside it

    def __post_init__(self) -> None:
        self.free_from = self.begin + EDGE_US

    def room(self, begin: float, end: float) -> tuple[float, float] | None:
        """Where inside it a slice from *begin* to *end* goes; None when it does not fit."""
        if begin < self.free_from - TOLERANCE_US or end > self.end + TOLERANCE_US or begin > self.end:
            return None
        begin = min(max(begin, self.free_from), self.end)
        end = max(begin, min(end, self.end - EDGE_US))
        self.free_from = end + EDGE_US
        return begin, end

    def holds(self, moment: float) -> bool:
        return self.begin - TOLERANCE_US <= moment <= self.end + TOLERANCE_US


class _Trace:
    """Takes events in the order of a journal, and gives entries."""

    def __init__(self, origin_us: int) -> None:
        self._origin_us = origin_us
        self._tracks = Tracks()
        self._causes = Causes(self._tracks)
        self._waiting: OrderedDict[str, list[Event]] = OrderedDict()  # by root
        self._waiting_count = 0
        self._drawn: OrderedDict[str, list[_Slice]] = OrderedDict()  # by uid: the send's own slice, then its receivers'
        self._arrows = 0

    def add(self, event: Event) -> Iterator[Entry]:
        if event.parent in self._drawn:
            yield from self._draw([*self._take_caused_by(event), event])
            return
        if event.parent is not None:
            self._waiting.setdefault(event.root, []).append(event)
            self._waiting_count += 1
            if self._waiting_count > MAX_WAITING:
                yield from self._draw_oldest()
            return
        inside = self._waiting.pop(event.uid, [])
        self._waiting_count -= len(inside)
        yield from self._draw([*inside, event])

    def _take_caused_by(self, event: Event) -> list[Event]:
        """Of what waits, all that *event* caused, and what that caused."""
        waiting = self._waiting.pop(event.root, [])
        uids = {event.uid}
        taken: list[Event] = []
        for each in reversed(waiting):  # what caused a send comes after it
            if each.parent in uids:
                uids.add(each.uid)
                taken.append(each)
        self._waiting_count -= len(taken)
        kept = set(map(id, taken))
        if rest := [each for each in waiting if id(each) not in kept]:
            self._waiting[event.root] = rest
        return taken

    def close(self) -> Iterator[Entry]:
        """What still waits."""
        while self._waiting:
            yield from self._draw_oldest()
        yield from self._causes.close()
        yield from self._tracks.names()

    def _draw_oldest(self) -> Iterator[Entry]:
        _, events = self._waiting.popitem(last=False)
        self._waiting_count -= len(events)
        yield from self._draw(events)

    def _draw(self, events: list[Event]) -> Iterator[Entry]:
        """Sends that belong together, each before what it caused. What a foreign file says may go round in circles."""
        events.sort(key=lambda event: (event.ts, event.process.seq))
        uids = {event.uid for event in events}
        made: dict[str, list[Event]] = {}
        for event in events:
            if event.parent in uids:
                made.setdefault(event.parent or "", []).append(event)
        seen: set[int] = set()
        tops = [event for event in events if event.parent not in uids]
        for top in (*tops, *events):
            stack: list[tuple[Event, _Slice | None]] = [(top, self._maker(top, self._drawn.get(top.parent or "", [])))]
            while stack:
                event, outer = stack.pop()
                if id(event) not in seen:
                    seen.add(id(event))
                    entries, slices = self._draw_send(event, outer)
                    yield from entries
                    self._remember(event.uid, slices)
                    stack += [(each, self._maker(each, slices)) for each in reversed(made.get(event.uid, []))]
        yield from self._tracks.names()

    def _remember(self, uid: str, slices: list[_Slice]) -> None:
        self._drawn[uid] = slices
        if len(self._drawn) > MAX_DRAWN:
            self._drawn.popitem(last=False)

    def _maker(self, event: Event, slices: list[_Slice]) -> _Slice | None:
        """Of a send's slice and those of its receivers: that of the receiver which ran when *event* began."""
        begin = self._time(event.ts)
        return next((each for each in reversed(slices) if each.holds(begin)), slices[0] if slices else None)

    def _draw_send(self, event: Event, outer: _Slice | None) -> tuple[list[Entry], list[_Slice]]:
        """Entries of one send and its receivers, and their slices, the send's own first; *outer* made it."""
        begin = self._time(event.ts)
        if event.counted is not UNSET:
            end = begin + event.counted.seconds * 1e6
            lane, begin = self._tracks.take(event.process, "counted sends", begin, end, kind="counted")
            return [_slice_entry(_Slice(lane, begin, max(begin, end)), event, _said_of_count(event))], []
        if event.duration_us is None:
            lane = outer.lane if outer is not None else self._tracks.first(event.process, event.thread)
            return [_instant_entry(lane, begin, event)], []

        own = self._place(event, begin, begin + event.duration_us, outer)
        entries = [_slice_entry(own, event, _said(event))]
        if outer is not None:
            entries = self._led_to("send", outer, own, entries[0])
        elif event.cause is not None:
            self._arrows += 1
            entries.append(_arrow_entry("f", "cause", self._arrows, own.lane, own.begin))
            entries += self._causes.add(event, own.begin, own.end, self._arrows)
        slices = [own]
        for call in sorted(event.receivers, key=lambda call: call.start_us):
            if call.status == "not_run":
                continue
            call_begin = own.begin + call.start_us
            inside = self._place_call(event, call_begin, call_begin + call.duration_us, own)
            entry = _call_entry(inside, call)
            entries += [entry] if inside.lane is own.lane else self._led_to("receiver", own, inside, entry)
            slices.append(inside)
        return entries, slices

    def _place(self, event: Event, begin: float, end: float, outer: _Slice | None) -> _Slice:
        """Inside what made it, when it is of the same thread and there is room; else on a lane of its own thread."""
        if outer is not None and self._tracks.has(event.process, event.thread, outer.lane):
            room = outer.room(begin, end)
            if room is not None:
                return _Slice(outer.lane, *room)
        lane, begin = self._tracks.take(event.process, event.thread, begin, end)
        return _Slice(lane, begin, max(begin, end))

    def _place_call(self, event: Event, begin: float, end: float, own: _Slice) -> _Slice:
        room = own.room(begin, min(end, own.end))
        if room is not None:
            return _Slice(own.lane, *room)
        lane, begin = self._tracks.take(event.process, event.thread, begin, end)
        return _Slice(lane, begin, max(begin, end))

    def _led_to(self, name: str, origin: _Slice, target: _Slice, entry: Entry) -> list[Entry]:
        """The *entry* of *target* with an arrow to it from the beginning of *origin*, where nothing else is inside."""
        begin, end = origin.begin, max(origin.begin, target.begin)
        if end > target.end:
            return [entry]  # clocks differ: it would seem to be over before it was caused
        self._arrows += 1
        return [
            _arrow_entry("s", name, self._arrows, origin.lane, begin),
            entry,
            _arrow_entry("f", name, self._arrows, target.lane, end),
        ]

    def _time(self, ts: str) -> float:
        return max(LEAD_US, float(microseconds(ts) - self._origin_us))


def _entry(phase: str, name: str, category: str, lane: Lane, ts: float, **more: Any) -> Entry:
    return {"ph": phase, "name": name, "cat": category, "pid": lane.pid, "tid": lane.tid, "ts": round(ts, 3), **more}


def _marked(name: str, category: str, is_error: bool) -> tuple[str, str, dict[str, Any]]:
    """Name, category and colour."""
    return (CROSS + name, f"{category},error", {"cname": "terrible"}) if is_error else (name, category, {})


def _slice_entry(place: _Slice, event: Event, said: dict[str, Any]) -> Entry:
    is_error = event.status == "raised" or any(call.status == "raised" for call in event.receivers)
    name, category, colour = _marked(_name(event), f"send,{event.family}", is_error)
    return _entry("X", name, category, place.lane, place.begin, dur=_duration(place), **colour, args=said)


def _call_entry(place: _Slice, call: ReceiverCall) -> Entry:
    name, category, colour = _marked(call.name, "receiver", call.error is not None)
    said: dict[str, Any] = {"status": call.status, "async": call.is_async}
    optional = {"place": call.place, "ran_us": call.ran_us, "error": call.error, "returned": call.returned}
    said |= {key: value for key, value in optional.items() if value is not None}
    return _entry("X", name, category, place.lane, place.begin, dur=_duration(place), **colour, args=said)


def _instant_entry(lane: Lane, begin: float, event: Event) -> Entry:
    name = f"{_name(event)} ({event.status})"
    return _entry("i", name, f"send,{event.family}", lane, begin, s="t", args=_said(event))


def _arrow_entry(phase: str, name: str, number: int, lane: Lane, ts: float) -> Entry:
    # bp: an arrow ends at the slice around this moment, not at the next one.
    more: dict[str, Any] = {"bp": "e"} if phase == "f" else {}
    return _entry(phase, name, name, lane, ts, id=number, **more)


def _duration(place: _Slice) -> float:
    return round(round(place.end, 3) - round(place.begin, 3), 3)


def _name(event: Event) -> str:
    name = event.signal.rpartition(".")[2] if event.family != "custom" else event.signal
    return f"{name} {event.sender}" if event.sender != "None" else name


def _said(event: Event) -> dict[str, Any]:
    said: dict[str, Any] = {"id": event.id, "uid": event.uid, "ts": event.ts, "signal": event.signal}
    said |= {"method": event.method, "status": event.status, "kwargs": event.kwargs}
    optional = {
        "error": event.error,
        "where": event.where,
        "transaction": event.transaction,
        "cause": event.cause,
        "changes": event.changes,
        "flags": event.flags or None,
        "not_run": [call.name for call in event.receivers if call.status == "not_run"] or None,
    }
    return said | {key: value for key, value in optional.items() if value is not None}


def _said_of_count(event: Event) -> dict[str, Any]:
    return {"id": event.id, "ts": event.ts, "signal": event.signal, "status": event.status, "counted": event.counted}
