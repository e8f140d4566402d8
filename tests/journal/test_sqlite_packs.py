"""Batches become rows when somebody searches; nobody can tell whether they have."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from livesignals.events import Event
from livesignals.exceptions import PinError
from livesignals.filters import parse
from livesignals.journal import Journal, Outcome, open_journal
from tests.journal.building import Sender, assert_balanced, make_event, make_events, pending
from tests.journal.conftest import OpenAt

TRANSACTIONS = ("t1", "t2", "t3")
FILTERS = ("", "is:rolledback", "is:committed", "sender:shop.Tag", "-sender:shop.Tag")

events = st.builds(
    lambda sender, tx_id: make_event(sender=sender, transaction=pending(tx_id) if tx_id else None),
    st.sampled_from(("shop.Order", "shop.Tag")),
    st.sampled_from((*TRANSACTIONS, "")),
)
outcomes = st.builds(Outcome, st.sampled_from(TRANSACTIONS), st.sampled_from(("committed", "rolled_back")))
steps = st.one_of(
    st.tuples(st.just("append"), st.lists(events, min_size=1, max_size=12)),
    st.tuples(st.just("resolve"), st.lists(outcomes, min_size=1, max_size=2)),
    st.tuples(st.just("prune"), st.integers(0, 40)),
    st.tuples(st.just("pin"), st.tuples(st.integers(1, 40), st.integers(0, 6))),
    st.tuples(st.just("search"), st.tuples(st.integers(1, 60), st.integers(1, 10))),
    st.tuples(st.just("clear"), st.none()),
)


class Process:
    """A journal and who writes into it."""

    def __init__(self, folder: str, name: str) -> None:
        url = f"sqlite:///{Path(folder, name)}"
        self.journal = open_journal(url, project="", retain_events=10_000, retain_bytes=100_000_000)
        self.sender = Sender(self.journal)

    def take(self, step: str, value: Any) -> object:
        """What the journal answers."""
        match step:
            case "append":
                return self.sender.append(value).last
            case "resolve":
                return self.journal.resolve(value)
            case "prune":
                return self.journal.prune(keep_events=value)
            case "pin":
                try:
                    return self.journal.pin(f"pin {len(self.journal.pins())}", value[0], value[0] + value[1])
                except PinError as error:
                    return str(error)
            case "search":
                return ids(self.journal.search(parse(""), value[0], value[1], max_scan=value[1]).events)
            case _:
                return self.journal.clear()


def ids(found: list[Event]) -> list[int]:
    return [event.id for event in found]


def without_epoch(found: list[Event]) -> list[Event]:
    return [replace(event, epoch="") for event in found]


@settings(max_examples=150)
@given(st.lists(steps, max_size=14))
def test_a_journal_of_batches_answers_like_one_of_rows(taken: list[tuple[str, Any]]) -> None:
    """The same is done to both; one is searched from end to end after each step, the other never as a whole."""
    with TemporaryDirectory() as folder:
        packed, unpacked = Process(folder, "packed"), Process(folder, "unpacked")
        for step, value in taken:
            assert packed.take(step, value) == unpacked.take(step, value)
            unpacked.journal.search(parse(""), None, 1_000)
        answers: list[Callable[[Journal], object]] = [
            lambda journal: without_epoch(journal.read(0, 1_000)),
            lambda journal: [line.partition(b'"id"')[2] for line in journal.tail(0, 1_000).lines],
            lambda journal: replace(journal.counts(), epoch=""),
            lambda journal: journal.outcomes_after(0),
            lambda journal: journal.pins(),
            lambda journal: journal.check(),
            *(lambda journal, text=text: ids(journal.search(parse(text), None, 1_000).events) for text in FILTERS),
            lambda journal: without_epoch(journal.read(0, 1_000)),
        ]
        for answer in answers:
            assert answer(packed.journal) == answer(unpacked.journal)
        if not packed.journal.pins():
            assert_balanced(packed.journal)
        packed.journal.close()
        unpacked.journal.close()


def test_what_is_evicted_before_anybody_looks_never_becomes_rows(path: Path, open_at: OpenAt) -> None:
    """Who only writes pays for batches."""
    journal = open_at(path, retain_events=1_000)
    sender = Sender(journal)
    for _ in range(100):
        sender.append(make_events(50))
    assert 950 <= journal.counts().retained <= 1_000
    assert rows(path) == 0
    assert len(journal.search(parse(""), None, 2_000).events) == journal.counts().retained == rows(path)


def test_a_search_makes_rows_of_what_it_looks_at(path: Path, open_at: OpenAt) -> None:
    """A page that shows the newest does not wait for the oldest."""
    journal = open_at(path)
    sender = Sender(journal)
    for _ in range(20):
        sender.append(make_events(10))
    assert ids(journal.search(parse(""), None, 15, max_scan=15).events) == list(range(200, 185, -1))
    assert rows(path) == 20


def test_a_batch_that_cannot_be_read_makes_the_journal_broken(path: Path, open_at: OpenAt) -> None:
    """It is set aside, as for any other damage, and readers are told."""
    journal = open_at(path)
    sender = Sender(journal)
    sender.append(make_events(5))
    with apsw.Connection(str(path)) as database:
        database.execute("UPDATE packs SET records = zeroblob(length(records))")
    database.close()
    assert journal.read(0, 10) == []
    assert "cannot be read" in journal.notice()
    sender.append(make_events(3))
    assert len(journal.read(0, 10)) == 3


def rows(path: Path) -> int:
    database = apsw.Connection(str(path))
    try:
        return int(database.execute("SELECT count(*) FROM events").get)
    finally:
        database.close()
