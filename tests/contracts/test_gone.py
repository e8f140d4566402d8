"""What every journal does about a process that ended without a word, and about one that did not."""

import pytest

from livesignals.events import Event, Transaction
from livesignals.filters import parse
from livesignals.journal import Journal, Outcome
from tests.journal.building import Sender, assert_balanced, make_event, make_events, pending


def ids(events: list[Event]) -> list[int]:
    return [event.id for event in events]


def test_what_it_had_buffered_is_dropped(journal: Journal) -> None:
    """With a reason of its own, and once, however many notice it."""
    gone, other = Sender(journal, "gone", seen_ts=10), Sender(journal, "other", seen_ts=20)
    gone.dropped, gone.buffered = {"buffer full": 2}, 7
    gone.append(make_events(3))
    other.buffered = 1
    other.append(make_events(1))
    reports = [report for report in journal.processes() if report.process == "gone"]
    assert [journal.take_for_gone(reports), journal.take_for_gone(reports)] == [1, 0]
    counts = journal.counts()
    assert (counts.captured, counts.stored, counts.buffered) == (14, 4, 1)
    assert counts.dropped == {"buffer full": 2, "process ended": 7}
    (told,) = [report for report in journal.processes() if report.process == "gone"]
    assert (told.is_gone, told.buffered, told.dropped) == (True, 0, {"buffer full": 2, "process ended": 7})
    assert [report.is_gone for report in journal.processes() if report.process == "other"] == [False]
    assert_balanced(journal)


def test_who_reported_since_is_not_gone(journal: Journal) -> None:
    """Whoever noticed it looked at an older report."""
    sender = Sender(journal, seen_ts=10)
    sender.buffered = 5
    sender.append(make_events(1))
    before = journal.processes()
    sender.seen_ts = 11
    sender.append([])
    assert journal.take_for_gone(before) == 0
    assert journal.counts().buffered == 5
    assert journal.take_for_gone([]) == 0


def test_its_next_report_puts_the_figures_right(journal: Journal) -> None:
    """What was taken for lost comes after all."""
    sender = Sender(journal, seen_ts=10)
    sender.buffered = 5
    sender.append(make_events(1))
    journal.take_for_gone(journal.processes())
    assert_balanced(journal)
    sender.seen_ts, sender.buffered = 11, 2
    sender.append(make_events(3))
    counts = journal.counts()
    assert (counts.captured, counts.stored, counts.dropped, counts.buffered) == (6, 4, {}, 2)
    (report,) = journal.processes()
    assert (report.is_gone, report.was_gone) == (False, True)
    assert_balanced(journal)


def test_the_ends_of_its_transactions_are_unknown(journal: Journal) -> None:
    """Readers are told as of any outcome; those of other processes, of similar names too, stay pending."""
    names = ("gone-t1", "gone-t1", "gone-t2", "gone2-t1", "go-t1", "gon")
    sender = Sender(journal, "gone")
    sender.append([make_event(transaction=pending(name)) for name in names])
    journal.pin("some", 2, 4)
    journal.prune(keep_events=3)
    assert journal.take_for_gone(journal.processes()) == 1
    states = {event.transaction.id: event.transaction.state for event in journal.read(0, 10) if event.transaction}
    assert states == {
        "gone-t1": "unknown",
        "gone-t2": "unknown",
        "gone2-t1": "pending",
        "go-t1": "pending",
        "gon": "pending",
    }
    told = [(tx_id, state) for _, tx_id, state in journal.outcomes_after(0)]
    assert sorted(told) == [("gone-t1", "unknown"), ("gone-t2", "unknown")]


@pytest.mark.parametrize("reports_first", [True, False])
@pytest.mark.parametrize("indexed", [True, False])
def test_an_outcome_that_comes_after_all_is_written(journal: Journal, reports_first: bool, indexed: bool) -> None:
    """It was alive, and knows. What it says of a transaction that it gave up itself stays."""
    sender = Sender(journal, "late", seen_ts=10)
    given_up = Transaction(db="default", state="unknown", id="other-t1")
    transactions = [pending("late-t1"), pending("late-t2"), pending("late-t1"), given_up]
    sender.append([make_event(transaction=transaction) for transaction in transactions])
    journal.take_for_gone(journal.processes())
    while indexed and journal.index(10):
        pass
    if reports_first:
        sender.seen_ts = 11
        sender.append([])
    assert journal.resolve([Outcome("late-t1", "committed"), Outcome("late-t9", "committed")]) == 2
    states = [event.transaction and event.transaction.state for event in journal.read(0, 10)]
    assert states == ["committed", "unknown", "committed", "unknown"]
    assert journal.outcomes_after(0)[-1][1:] == ("late-t1", "committed")
    assert ids(journal.search(parse("is:committed"), None, 5).events) == [3, 1]
    assert_balanced(journal)
