"""What a list may show as one line."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from livesignals.events import Cause, Counted, Error, Event, Transaction
from livesignals.insights.runs import alike, run_name, runs
from tests.insights.building import REQUEST, send

ONE = send("u1", 0, 5)
OTHERS = [
    replace(ONE, signal="t"),
    replace(ONE, sender="shop.Stock"),
    replace(ONE, cause=None),
    replace(ONE, cause=Cause(kind="request", name=REQUEST.name, id="c2")),
    replace(ONE, status="skipped"),
    replace(ONE, status="raised", error=Error("ValueError", "")),
    replace(ONE, transaction=Transaction(db="default", state="rolled_back", id="t1")),
    replace(ONE, counted=Counted(sends=5, duration_us=1.0, seconds=1.0), flags=["counted"]),
    replace(ONE, counted=Counted(sends=5, duration_us=1.0, seconds=1.0), flags=["counted", "sampled"]),
]


def test_alike_are_those_of_one_signal_sender_and_cause_in_one_state() -> None:
    """What they carried, when, and how long it took, does not matter; an error never hides among what went well."""
    later = send("u2", 70, 900, kwargs={"n": 2}, receivers=[("r", 0, 900)])
    assert alike(ONE, later)
    assert run_name(ONE) == run_name(later)
    for one in (ONE, *OTHERS):
        assert [alike(one, other) for other in (ONE, *OTHERS)].count(True) == 1
    assert len({run_name(one) for one in (ONE, *OTHERS)}) == 1 + len(OTHERS)


def test_an_open_or_kept_transaction_makes_no_difference() -> None:
    """Rows that came before the commit stay with those that came after it."""
    pending, committed = (
        replace(ONE, transaction=Transaction(db="default", state=state, id="t1")) for state in ("pending", "committed")
    )
    assert alike(pending, committed)
    assert run_name(pending) == run_name(committed) == run_name(ONE)


def test_the_page_can_make_the_name_of_what_was_rolled_back() -> None:
    """It hears of the rollback after it got the row."""
    assert run_name(OTHERS[6]) == f"{run_name(ONE)}-rb"


@given(st.lists(st.sampled_from([ONE, *OTHERS])))
def test_runs_are_the_events_in_their_order(events: list[Event]) -> None:
    """Nothing is lost or moved; neighbours of two runs are not alike, those of one are."""
    found = list(runs(events))
    assert [event for run in found for event in run] == events
    assert all(run_name(event) == run_name(run[0]) for run in found for event in run)
    assert all(not alike(before[-1], after[0]) for before, after in pairwise(found))
