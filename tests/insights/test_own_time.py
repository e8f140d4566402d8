"""Where time went, by receiver and by signal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesignals.events import Counted, Event, ReceiverCall
from livesignals.insights.own_time import Share, own_of, own_time
from tests.insights.building import causes, send


def test_the_time_of_nested_sends_is_taken_from_the_receiver_that_made_them() -> None:
    """Of two receivers, the one that was running when they began; their signals have it as their own."""
    events = [
        send("p", 0, 100, receivers=[("first", 10, 30), ("second", 50, 40)]),
        send("c", 55, 20, signal="t", parent="p", receivers=[("inner", 5, 10)]),
        send("d", 80, 5, signal="t", parent="p"),
    ]
    found = own_time(events)
    assert found.receivers == [
        Share("first", 1, 30.0, 30.0, 0),
        Share("second", 1, 40.0, 15.0, 0),
        Share("inner", 1, 10.0, 10.0, 0),
    ]
    assert found.signals == [Share("s", 1, 100.0, 75.0, 0), Share("t", 2, 25.0, 25.0, 0)]


def test_of_receivers_side_by_side_only_one_gives_time_away() -> None:
    """The last to begin of those that ran all the while: a guess, and no time is taken twice."""
    events = [
        send("p", 0, 100, receivers=[("slow", 0, 100), ("other", 20, 60)]),
        send("c", 30, 10, signal="t", parent="p"),
    ]
    assert {share.name: share.own_us for share in own_time(events).receivers} == {"slow": 100.0, "other": 50.0}


def test_errors_calls_and_what_has_no_time() -> None:
    """A raised call is an error of its receiver and of its signal; not run is no call; skipped took nothing."""
    calls = [
        ReceiverCall(name="r", duration_us=5.0, status="raised"),
        ReceiverCall(name="r", duration_us=0.0, status="not_run"),
    ]
    events = [
        Event(**{**{name: getattr(send("p", 0, 9), name) for name in Event.__struct_fields__}, "receivers": calls}),
        send("q", 20, 0, duration_us=None, status="skipped"),
    ]
    found = own_time(events)
    assert found.receivers == [Share("r", 1, 5.0, 5.0, 1)]
    assert found.signals == [Share("s", 2, 9.0, 9.0, 1)]


def test_a_count_stands_for_all_its_sends() -> None:
    """What was counted instead of kept is in the figures of its signal."""
    count = send("p", 0, 0, duration_us=None, counted=Counted(sends=500, duration_us=70.0, seconds=1.0))
    assert own_time([count]).signals == [Share("s", 500, 70.0, 70.0, 0)]


def test_a_child_without_its_parent_takes_nothing_away() -> None:
    """Evicted parents leave their children behind."""
    assert own_time([send("c", 5, 10, parent="gone", receivers=[("r", 0, 10)])]).receivers == [
        Share("r", 1, 10.0, 10.0, 0)
    ]


@given(causes())
def test_own_times_add_up_to_the_time_there_was(events: list[Event]) -> None:
    """Of sends nested in time: all own times together are the time of the topmost ones, nothing twice or lost."""
    found = own_time(events)
    topmost = sum(event.duration_us or 0 for event in events if event.parent is None)
    assert sum(share.own_us for share in found.signals) == pytest.approx(topmost)
    for share in found.receivers + found.signals:
        assert -1e-9 <= share.own_us <= share.total_us
    assert sum(share.calls for share in found.receivers) == sum(len(event.receivers) for event in events)
    assert sum(share.calls for share in found.signals) == len(events)


@given(causes(), st.randoms())
def test_the_order_of_the_events_does_not_matter(events: list[Event], random: object) -> None:
    """A journal gives them in the order in which they ended."""
    assert own_time(reversed(events)) == own_time(events)


SPANS = st.lists(st.tuples(st.integers(-20, 120), st.integers(0, 60)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(SPANS)
def test_own_is_what_no_span_covers(spans: list[tuple[int, int]]) -> None:
    """Spans may overlap, and stick out on either side: counted unit by unit it is the same."""
    covered = {unit for begin, end in spans for unit in range(begin, end)}
    assert own_of((0, 100), spans) == len(set(range(100)) - covered)
