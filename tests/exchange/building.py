"""Events as files have them, and what is read from a trace."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from livesignals.events import Cause, Event, Process, ReceiverCall
from tests.filters import building
from tests.journal.building import make_event

#: As projects send them: any text and value, and no count that counts nothing.
events = building.events.map(lambda event: replace(event, flags=[flag for flag in event.flags if flag != "counted"]))


def many(count: int) -> Iterator[Event]:
    """So many events, made one by one: trees of two sends, of many requests, in some processes and threads."""
    like = make_event(receivers=[ReceiverCall(name="shop.receivers.notify", duration_us=100.0, start_us=5.0)])
    for number in range(count // 2):
        second, rest = divmod(number * 1_000, 1_000_000)
        uid = f"uid-{number}"
        common: dict[str, Any] = {
            "root": uid,
            "cause": Cause(kind="request", name="POST /orders/", id=f"request-{number // 5}"),
            "process": Process(host="web1", pid=1 + number // 5 % 4, seq=number),
            "thread": f"Thread-{number % 50}",
        }
        begin = f"2026-01-02T03:{second // 60:02d}:{second % 60:02d}"
        yield replace(like, uid=f"{uid}-1", parent=uid, ts=f"{begin}.{rest + 10:06d}Z", duration_us=50.0, **common)
        yield replace(like, uid=uid, ts=f"{begin}.{rest:06d}Z", duration_us=900.0, **common)


def assert_well_formed(trace: dict[str, Any]) -> None:
    """What the format's description asks for, and Perfetto and others rely on.

    On each track slices lie beside or inside one another, at nanoseconds, whichever way they are rounded; each arrow
    has one beginning and one end, later, and each of the two lies in a slice; each process and thread has a name.
    """
    entries = trace["traceEvents"]
    tracks: dict[tuple[int, int], list[tuple[float, float]]] = {}
    named: dict[str, set[tuple[int, int]]] = {"process_name": set(), "thread_name": set()}
    for entry in entries:
        track = entry["pid"], entry["tid"]
        if entry["ph"] == "X":
            assert entry["ts"] >= 0
            assert entry["dur"] >= 0
            tracks.setdefault(track, []).append((entry["ts"], entry["ts"] + entry["dur"]))
        elif entry["ph"] == "M" and entry["name"] in named:
            named[entry["name"]].add(track)
        else:
            assert entry["ph"] in "sfiM"
    for track, slices in tracks.items():
        assert track in named["thread_name"]
        assert track[0] in {pid for pid, _ in named["process_name"]}
        assert_nested(slices)
    beginnings = {entry["id"]: entry for entry in entries if entry["ph"] == "s"}
    ends = {entry["id"]: entry for entry in entries if entry["ph"] == "f"}
    assert len(beginnings) == sum(entry["ph"] == "s" for entry in entries)
    assert beginnings.keys() == ends.keys()
    for number, begin in beginnings.items():
        end = ends[number]
        assert (begin["name"], begin["cat"]) == (end["name"], end["cat"])
        assert end["bp"] == "e"
        assert begin["ts"] <= end["ts"]
        for each in (begin, end):
            slices = tracks[each["pid"], each["tid"]]
            assert any(first <= each["ts"] <= last for first, last in slices), each


def assert_nested(slices: list[tuple[float, float]]) -> None:
    """No two overlap in part. Sorting is stable, as readers' is: of two that begin at once the outer comes first."""
    nanosecond = 0.001
    open_ends: list[float] = []
    for begin, end in sorted(slices, key=lambda each: each[0]):
        while open_ends and open_ends[-1] <= begin + nanosecond / 2:
            open_ends.pop()
        if open_ends:
            assert end <= open_ends[-1] - nanosecond / 2 or end == begin, (begin, end, open_ends)
        open_ends.append(end)
