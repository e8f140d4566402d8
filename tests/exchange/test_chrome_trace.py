"""The trace, read as Perfetto reads it: slices nest, arrows lead from what caused a send to the send."""

import asyncio
import json
import random
import threading
from typing import Any

import pytest
from django.dispatch import Signal
from hypothesis import given, settings
from hypothesis import strategies as st

from livesignals import recording
from livesignals.events import Cause, Error, Event, Process, ReceiverCall, Transaction
from livesignals.exchange import chrome_trace
from livesignals.exchange.chrome_trace import CROSS, MAX_WAITING
from tests.exchange import building
from tests.exchange.building import assert_well_formed, many
from tests.journal.building import make_count, make_event


def trace_of(events: list[Event]) -> dict[str, Any]:
    trace: dict[str, Any] = json.loads("".join(chrome_trace.write(events)))
    assert_well_formed(trace)
    return trace


def slices(trace: dict[str, Any], *, name: str = "", category: str = "") -> list[dict[str, Any]]:
    return [
        entry
        for entry in trace["traceEvents"]
        if (entry["ph"] == "X" and entry["name"].endswith(name) and category in entry["cat"].split(","))
        or (entry["ph"] == "X" and entry["name"].endswith(name) and not category)
    ]


def arrows(trace: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(kind, what it leads from, what it leads to), by the names of the innermost slices around its ends."""
    entries = trace["traceEvents"]

    def around(end: dict[str, Any]) -> str:
        inside = [
            entry
            for entry in entries
            if entry["ph"] == "X"
            and (entry["pid"], entry["tid"]) == (end["pid"], end["tid"])
            and entry["ts"] <= end["ts"] <= entry["ts"] + entry["dur"]
            and (end["ph"] == "f" or entries.index(entry) < entries.index(end) or entry["ts"] < end["ts"])
        ]
        return str(max(inside, key=lambda entry: (entry["ts"], entries.index(entry)))["name"])

    ends = {entry["id"]: entry for entry in entries if entry["ph"] == "f"}
    return [(entry["name"], around(entry), around(ends[entry["id"]])) for entry in entries if entry["ph"] == "s"]


def at(us: int) -> str:
    return f"2026-01-02T03:04:05.{us:06d}Z"


def tree() -> list[Event]:
    """A save whose first receiver saves something and has a thread send something, while the second one fails."""
    save: dict[str, Any] = {"root": "top", "cause": Cause(kind="request", name="POST /orders/", id="r1", status=302)}
    calls = [
        ReceiverCall(name="shop.reserve", duration_us=60.5, start_us=1.7),
        ReceiverCall(name="shop.notify", duration_us=20, start_us=70, status="raised", error=Error("ValueError", "no")),
        ReceiverCall(name="shop.never", duration_us=0, status="not_run"),
    ]
    return [
        make_event(uid="in", parent="top", ts=at(101), duration_us=40.2, sender="shop.Stock", **save),
        make_event(uid="aside", parent="top", ts=at(120), duration_us=500.0, sender="shop.Mail", thread="mail", **save),
        make_event(
            uid="top",
            ts=at(100),
            duration_us=100.4,
            receivers=calls,
            transaction=Transaction(db="default", state="rolled_back", id="t1"),
            status="raised",
            error=Error("ValueError", "no"),
            **save,
        ),
    ]


def test_receivers_are_inside_their_send_and_what_they_send_is_inside_them() -> None:
    """On the track of their thread, in the order of time; what another thread sends is on its own."""
    trace = trace_of(tree())
    [top] = slices(trace, name="post_save shop.Order")
    [reserve] = slices(trace, name="shop.reserve")
    [inner] = slices(trace, name="post_save shop.Stock")
    [aside] = slices(trace, name="post_save shop.Mail")
    assert top["tid"] == reserve["tid"] == inner["tid"] != aside["tid"]
    assert top["ts"] <= reserve["ts"] <= inner["ts"]
    assert inner["ts"] + inner["dur"] <= reserve["ts"] + reserve["dur"] <= top["ts"] + top["dur"]
    assert (aside["ts"] - top["ts"], aside["dur"]) == (20, 500)
    assert slices(trace, name="shop.never") == []
    assert top["args"]["not_run"] == ["shop.never"]


def test_arrows_lead_from_the_request_to_its_sends_and_from_receivers_to_theirs() -> None:
    """Across threads too."""
    assert sorted(arrows(trace_of(tree()))) == [
        ("cause", "POST /orders/", f"{CROSS}post_save shop.Order"),
        ("send", "shop.reserve", "post_save shop.Mail"),
        ("send", "shop.reserve", "post_save shop.Stock"),
    ]


def test_what_went_wrong_is_marked_and_the_outcome_told() -> None:
    """In the name, for people, in category and colour, for tools; the transaction's end among the arguments."""
    trace = trace_of(tree())
    marked = slices(trace, category="error")
    assert [entry["name"] for entry in marked] == [f"{CROSS}post_save shop.Order", f"{CROSS}shop.notify"]
    assert {entry["cname"] for entry in marked} == {"terrible"}
    assert marked[0]["args"]["transaction"] == {"db": "default", "state": "rolled_back", "id": "t1"}
    assert marked[1]["args"]["error"] == {"type": "ValueError", "message": "no"}
    [request] = slices(trace, category="cause")
    assert request["args"] == {"id": "r1", "kind": "request", "sends": 1, "status": 302}


def test_tracks_have_the_names_of_processes_and_threads() -> None:
    """Two hosts may have given the same pid."""
    trace = trace_of([make_event(process=Process(host=host, pid=7, seq=1)) for host in ("web1", "web2")])
    names = {entry["args"]["name"]: entry["pid"] for entry in trace["traceEvents"] if entry["name"] == "process_name"}
    assert names.keys() == {"web1 7", "web2 7"}
    assert len(set(names.values())) == 2
    threads = [entry["args"]["name"] for entry in trace["traceEvents"] if entry["name"] == "thread_name"]
    assert sorted(threads) == ["MainThread", "MainThread", "requests", "requests"]


def test_skipped_sends_are_instants_and_counts_have_their_own_track() -> None:
    """A count is drawn over the time it counts."""
    trace = trace_of([make_event(status="skipped", duration_us=None), make_count(5_000)])
    [instant] = [entry for entry in trace["traceEvents"] if entry["ph"] == "i"]
    assert instant["name"] == "post_save shop.Order (skipped)"
    [count] = [entry for entry in slices(trace) if "counted" in entry["args"]]
    assert count["dur"] == 1_000_000
    assert instant["tid"] != count["tid"]


def test_nothing_is_a_trace_too() -> None:
    """With no events in it."""
    assert trace_of([])["traceEvents"] == []


@settings(deadline=None)
@given(st.lists(building.events, max_size=12))
def test_any_events_make_a_well_formed_trace(events: list[Event]) -> None:
    """Parents that are missing, that go round in circles, times of other centuries."""
    trace_of(events)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_overlaps_a_track_never_does(seed: int) -> None:
    """Sends that nest and overlap at random, in few threads, with times that are cut off as capture cuts them off."""
    choose = random.Random(seed)
    events: list[tuple[float, Event]] = []

    def send(begin: float, end: float, parent: Event | None, depth: int) -> None:
        uid = f"u{len(events)}-{choose.random()}"
        calls, moment = [], begin
        while (moment := moment + choose.random() * (end - begin) / 3) < end:
            last = min(end, moment + choose.random() * (end - begin) / 2)
            calls.append(ReceiverCall(name="r", duration_us=last - moment, start_us=moment - begin))
            moment = last if choose.random() < 0.7 else moment
        event = make_event(
            uid=uid,
            root=parent.root if parent else uid,
            parent=parent.uid if parent else None,
            ts=at(int(begin)),
            duration_us=end - begin,
            receivers=calls,
            thread=choose.choice(["one", "one", "two"]),
        )
        for call in calls if depth < 4 else []:
            first = begin + call.start_us + choose.random() * call.duration_us
            late = call.duration_us if choose.random() < 0.1 else 0
            send(first, begin + call.start_us + call.duration_us + late, event, depth + 1)
        events.append((end, event))

    for _ in range(12):
        begin = choose.random() * 5_000
        send(begin, begin + choose.random() * 3_000, None, 0)
    trace = trace_of([event for _, event in sorted(events, key=lambda each: each[0])])
    assert len(slices(trace, category="send")) == len(events)


def test_real_sends_with_tasks_and_threads_make_a_well_formed_trace() -> None:
    """Receivers that run at once on an event loop, sends of theirs, and sends of a thread that one of them starts."""
    outer, inner = Signal(), Signal()

    async def at_once(sender: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0.001)
        await inner.asend(sender="inner")

    async def as_well(sender: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0.001)
        thread = threading.Thread(target=inner.send, args=("thread",), name="helper")
        thread.start()
        await asyncio.to_thread(thread.join)

    def plainly(sender: Any, **kwargs: Any) -> None:
        inner.send(sender="plain")

    for receiver in (at_once, as_well, plainly):
        outer.connect(receiver)

    async def many_at_once() -> None:
        await asyncio.gather(*(outer.asend(sender="outer") for _ in range(5)))

    with recording() as events:
        asyncio.run(many_at_once())
        outer.send_robust(sender="outer")
    trace = trace_of(list(events))
    assert len(slices(trace, category="send")) == len(events)
    assert {"send", "receiver"} <= {kind for kind, _, _ in arrows(trace)}


def test_a_tree_too_large_to_wait_for_is_drawn_in_parts() -> None:
    """Every send is there; a receiver that sends a million times costs no memory."""
    inner = [
        make_event(uid=f"in-{number}", root="top", parent="top", ts=at(2 * number), duration_us=1.0, cause=None)
        for number in range(2 * MAX_WAITING + 10)
    ]
    top = make_event(uid="top", ts=at(0), duration_us=900_000.0)
    trace = trace_of([*inner, top])
    assert len(slices(trace, category="send")) == len(inner) + 1


def test_thousands_of_requests_share_the_tracks_that_are_free() -> None:
    """One after the other needs one."""
    trace = trace_of(list(many(6_000)))
    assert len(slices(trace, category="cause")) == 600
    names = [entry["args"]["name"] for entry in trace["traceEvents"] if entry["name"] == "thread_name"]
    assert len([name for name in names if name.startswith("requests")]) <= 2 * 4
