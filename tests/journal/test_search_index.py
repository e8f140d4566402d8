"""The search index beside an SQLite journal: what it answers, and that nothing depends on it."""

import multiprocessing
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from livesignals.events import Error, ReceiverCall, Transaction
from livesignals.filters import parse
from livesignals.journal import FACETS, Journal, Outcome, open_journal
from livesignals.journal.search_columns import SEGMENT_EVENTS
from tests.journal.building import Sender, make_event, make_events
from tests.journal.conftest import OpenAt

COUNT = SEGMENT_EVENTS + 600
FILTERS = (
    "sender:shop.Order",
    "sender:shop.Order signal:pre_save",
    "-sender:shop.*",
    "kwargs.instance.status:paid",
    "-kwargs.instance.status:paid",
    "kwargs.instance.pk:777",
    "kwargs.instance.pk:16380..16390",
    "kwargs.instance.pk>16980",
    "kwargs.instance.pk>=16384 kwargs.instance.pk<16388",
    "kwargs.instance.email:*7@*",
    "kwargs.instance.email:*",
    "kwargs.instance.nothing:*",
    "kwargs.tags:b",
    "größe",
    '"email=user12"',
    '"status=paid"',
    "nothinglikethis",
    "is:error",
    "exc:ValueError OR receiver:twice",
    "dur>899us",
    "path:/orders/7*",
    "ts:2026-01-02T03:00 id>100",
    "uid:u-5",
    "changed:status n:2",
)


def fill(journal: Journal, count: int = COUNT) -> None:
    sender = Sender(journal)
    for start in range(0, count, 2_000):
        sender.append(
            [
                make_event(
                    uid=f"u-{number}",
                    ts=f"2026-01-02T03:{number // 600 % 60:02d}:{number // 10 % 60:02d}.{(number * 7) % 10}00000Z",
                    signal=f"django.db.models.signals.{'pre' if number % 2 else 'post'}_save",
                    sender=("shop.Order", "shop.Größe", "auth.User")[number % 3],
                    duration_us=number % 901 + 0.5,
                    error=Error(type="ValueError", message="no") if number % 997 == 0 else None,
                    status="returned" if number % 997 else "raised",
                    receivers=[ReceiverCall(name=f"shop.{name}", duration_us=1.0) for name in ("once", "twice")][
                        : number % 3
                    ],
                    kwargs={
                        "instance": {
                            "model": "shop.Order",
                            "pk": number,
                            "fields": {"status": "new" if number % 500 else "paid", "email": f"user{number}@x.org"},
                        },
                        "tags": ["a", "b"] if number % 4_000 == 1 else [],
                    },
                    changes={"status": ["", "new"]} if number % 5 else None,
                )
                for number in range(start + 1, min(start + 2_000, count) + 1)
            ]
        )


def index(journal: Journal) -> None:
    while journal.index(5_000):
        pass


def answers(journal: Journal, text: str) -> object:
    """Everything that can be asked with a filter."""
    chosen = parse(text)
    newest = journal.search(chosen, None, 50)
    return (
        newest,
        journal.search(chosen, newest.scanned_to, 50),
        journal.search(chosen, None, 10_000, max_scan=900),
        journal.search_forward(chosen, 16_000, 500),
        journal.histogram(chosen, 1_767_322_800_000_000, 1_767_322_800_000_000 + 1_700_000_000, 40),
        {field: dict(found) for field, found in journal.facets(chosen, FACETS, 100).counts.items()},
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of more than one segment, without an index. Copy it."""
    path = tmp_path_factory.mktemp("plain") / "journal.sqlite3"
    journal = open_journal(f"sqlite:///{path}", project="shop", retain_events=100_000, retain_bytes=100_000_000)
    fill(journal)
    journal.close()
    return path


@pytest.fixture
def path(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(plain, tmp_path))


@pytest.fixture
def search_path(path: Path) -> Path:
    return path.with_name("journal.sqlite3-search")


def test_an_index_changes_no_answer(path: Path, search_path: Path, plain: Path, open_at: OpenAt) -> None:
    """Searches in both directions, counts and histograms are the same with it and without."""
    journal, without = open_at(path), open_at(plain)
    index(journal)
    assert search_path.exists()
    indexed = journal.indexed()
    assert indexed is not None
    assert (indexed.events, indexed.bytes > 0) == (COUNT, True)
    for text in FILTERS:
        assert answers(journal, text) == answers(without, text), text


def test_the_end_of_a_transaction_is_found_though_the_same_was_asked_before(tmp_path: Path, open_at: OpenAt) -> None:
    """What an index has once told of a filter is kept; what can change is not."""
    journal = open_at(tmp_path / "another.sqlite3")
    pending = Transaction(db="default", state="pending", id="t")
    Sender(journal).append([make_event(transaction=pending), *make_events(SEGMENT_EVENTS)])
    index(journal)
    rolled_back, others = parse("is:rolledback"), parse("-is:rolledback")
    for _ in range(2):
        assert journal.search(rolled_back, None, 5).events == []
    assert len(journal.search(others, SEGMENT_EVENTS, SEGMENT_EVENTS).events) == SEGMENT_EVENTS - 1
    journal.resolve([Outcome("t", "rolled_back")])
    assert [event.id for event in journal.search(rolled_back, None, 5).events] == [1]
    assert [count for _, count in journal.facets(rolled_back, ["signal"], 5).counts["signal"]] == [1]
    assert len(journal.search(others, SEGMENT_EVENTS, SEGMENT_EVENTS).events) == SEGMENT_EVENTS - 2


def test_who_only_reads_uses_what_is_there(path: Path, search_path: Path, open_at: OpenAt) -> None:
    """Another process finds the full segments on disk, and makes no index of its own."""
    reader = open_at(path)
    assert len(reader.search(parse("kwargs.instance.pk:777"), None, 5).events) == 1
    assert not search_path.exists()
    index(open_at(path))
    indexed = reader.indexed()
    assert indexed is not None
    assert indexed.events == SEGMENT_EVENTS
    assert len(reader.search(parse("kwargs.instance.pk:777"), None, 5).events) == 1


@pytest.mark.parametrize("harm", ["nonsense", "cut", "deleted", "emptied", "another database"])
def test_an_index_that_is_lost_or_broken_is_made_anew(
    path: Path, search_path: Path, open_at: OpenAt, harm: str
) -> None:
    """Searches go on without it, and who indexes begins again."""
    journal = open_at(path)
    index(journal)
    journal.close()
    for companion in ("-wal", "-shm"):
        search_path.with_name(search_path.name + companion).unlink(missing_ok=True)
    if harm == "nonsense":
        search_path.write_bytes(os.urandom(100_000))
    elif harm == "cut":
        os.truncate(search_path, search_path.stat().st_size // 2)
    elif harm == "deleted":
        search_path.unlink()
    elif harm == "emptied":
        os.truncate(search_path, 0)
    else:
        shutil.copy(path, search_path)
    for _ in range(2):
        assert [event.id for event in journal.search(parse("kwargs.instance.pk:777"), None, 5).events] == [777]
        assert len(journal.search(parse("kwargs.instance.status:paid"), None, 100).events) == COUNT // 500
        index(journal)
    indexed = journal.indexed()
    assert indexed is not None
    assert indexed.events == COUNT


def test_an_index_is_of_one_epoch(path: Path, open_at: OpenAt) -> None:
    """Once the journal was cleared, nothing of before is found, and what comes is indexed."""
    journal = open_at(path)
    index(journal)
    journal.clear()
    assert journal.search(parse("sender:shop.Order"), None, 5).events == []
    Sender(journal).append(make_events(3))
    assert len(journal.search(parse("sender:shop.Order"), None, 5).events) == 3
    index(journal)
    indexed = journal.indexed()
    assert indexed is not None
    assert indexed.events == 3
    assert len(journal.search(parse("sender:shop.Order"), None, 5).events) == 3


def test_what_is_evicted_is_not_found_and_forgotten_at_last(path: Path, search_path: Path, open_at: OpenAt) -> None:
    """At once for readers; the file gives its room to what comes."""
    journal = open_at(path)
    index(journal)
    journal.prune(keep_events=100)
    assert len(journal.search(parse("sender:shop.*"), None, 1_000).events) < 100
    assert journal.facets(parse(""), ["sender"], 5).scanned == 100
    assert journal.search(parse("kwargs.instance.pk:777"), None, 5).events == []
    before = search_path.stat().st_size
    fill(journal, SEGMENT_EVENTS)
    index(journal)
    assert search_path.stat().st_size < 1.5 * before


def test_two_may_index_at_once(path: Path, open_at: OpenAt) -> None:
    """Who comes second finds the segment stored."""
    one, two = open_at(path), open_at(path)
    more = [True, True]
    while any(more):
        more = [one.index(3_000), two.index(3_000)]
    for journal in (one, two):
        indexed = journal.indexed()
        assert indexed is not None
        assert indexed.events == COUNT
        assert len(journal.search(parse("kwargs.instance.status:paid"), None, 100).events) == COUNT // 500


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_of_a_fork_searches_with_connections_of_its_own(path: Path, open_at: OpenAt) -> None:
    """So does its parent afterwards."""
    journal = open_at(path)
    index(journal)

    def look() -> None:
        assert len(journal.search(parse("kwargs.instance.status:paid"), None, 100).events) == COUNT // 500
        index(journal)
        os._exit(7)

    child = multiprocessing.get_context("fork").Process(target=look)
    child.start()
    child.join(60)
    assert child.exitcode == 7
    assert len(journal.search(parse("kwargs.instance.status:paid"), None, 100).events) == COUNT // 500


def test_doctor_says_why_there_is_no_index(path: Path, search_path: Path, open_at: OpenAt) -> None:
    """A file that cannot be made costs speed, nothing else."""
    search_path.mkdir()
    journal = open_at(path)
    assert not journal.index(10)
    assert len(journal.search(parse("kwargs.instance.pk:777"), None, 5).events) == 1
    [problem] = journal.check()
    assert (problem.level, "search index" in problem.message) == ("warning", True)


def test_indexing_writes_nothing_into_the_journal(path: Path, search_path: Path, open_at: OpenAt) -> None:
    """But for the rows of what is still packed, once; after that processes that write do not meet it."""
    journal = open_at(path)
    index(journal)
    search_path.unlink()
    journal.changed()
    index(journal)
    assert not journal.changed()


@pytest.mark.parametrize("is_indexed", [False, True])
def test_facets_that_take_long_are_those_of_the_newest_events(
    tmp_path: Path, open_at: OpenAt, is_indexed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say of how many, and are exact for these."""
    journal = open_at(tmp_path / "newest.sqlite3")
    sender = Sender(journal)
    for start in range(0, SEGMENT_EVENTS + 1_000, 2_000):
        sender.append([make_event(sender=f"shop.M{(start + n) // 1_000}") for n in range(2_000)])
    while is_indexed and journal.index(SEGMENT_EVENTS):
        pass
    first, last = journal.bounds().first, journal.bounds().last
    monkeypatch.setattr("livesignals.journal.base.FACET_SECONDS", 0.0)
    found = journal.facets(parse(""), FACETS, 100)
    assert 0 < found.scanned < last - first + 1
    assert not found.exhausted
    newest = journal.read(last - found.scanned, found.scanned)
    assert dict(found.counts["sender"]) == Counter(event.sender for event in newest)
    monkeypatch.undo()
    assert journal.facets(parse(""), FACETS, 100).scanned == last - first + 1


def test_facets_of_a_journal_in_memory_that_take_long_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest first, there as well."""
    journal = open_journal("memory:", project="", retain_events=10_000, retain_bytes=2**30)
    Sender(journal).append([make_event(sender=f"shop.M{n // 1_000}") for n in range(3_000)])
    monkeypatch.setattr("livesignals.journal.base.FACET_SECONDS", 0.0)
    found = journal.facets(parse(""), FACETS, 100)
    assert (found.scanned, found.exhausted, dict(found.counts["sender"])) == (1_000, False, {"shop.M2": 1_000})
