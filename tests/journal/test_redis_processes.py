"""Several processes on one Redis journal, its ring under use, and readers that look now and then."""

import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import redis

from livesignals.filters import parse
from livesignals.journal import Journal, Outcome, open_journal
from livesignals.journal.accounts import KEPT_PROCESSES
from livesignals.journal.redis_directory import FORGOTTEN_EVENTS
from tests.journal.building import Sender, assert_balanced, make_count, make_event, make_events, pending

ROOT = Path(__file__).parents[2]
_numbers = itertools.count(1)


@pytest.fixture
def url(redis_url: str) -> str:
    """Of a journal that nothing has been written to."""
    return f"{redis_url}?name=processes-{next(_numbers)}"


class Opening:
    """Opens the journal of a test, as often as wanted; each as another process would have it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opened: list[Journal] = []

    def __call__(self, retain_events: int = 10_000_000) -> Journal:
        journal = open_journal(self.url, project="shop", retain_events=retain_events, retain_bytes=10**10)
        self.opened.append(journal)
        return journal


@pytest.fixture
def opening(url: str) -> Iterator[Opening]:
    opening = Opening(url)
    yield opening
    for journal in opening.opened:
        journal.close()


def start_writer(url: str, token: str, batches: int, size: int) -> subprocess.Popen[str]:
    """A process that appends batches and prints the first and last id of each as soon as it is told them."""
    command = [sys.executable, "-m", "tests.journal.writer", url, token, str(batches), str(size)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def ask(url: str, command: str, key: str, *arguments: Any) -> Any:
    """What Redis says of a key of the journal."""
    address, _, name = url.partition("?name=")
    with redis.Redis.from_url(address) as client:
        return client.execute_command(command, f"livesignals:{{{name}}}:{key}", *arguments)


def test_four_processes_share_the_ids(url: str, opening: Opening) -> None:
    """Unique, without holes, in the order in which they are stored; batches stay whole and each process in order."""
    writers = [start_writer(url, f"writer-{number}", 40, 50) for number in range(4)]
    outputs = [writer.communicate()[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    journal = opening()
    events = journal.read(0, 100_000)
    assert [event.id for event in events] == list(range(1, 4 * 40 * 50 + 1))
    for number, output in enumerate(outputs):
        own = [event for event in events if event.thread == f"writer-{number}"]
        assert [event.process.seq for event in own] == list(range(1, 2_001))
        told = [tuple(map(int, line.split())) for line in output.splitlines()]
        assert all(later[0] > earlier[1] for earlier, later in pairwise(told))
        assert [event.id for event in own] == [event_id for first, last in told for event_id in range(first, last + 1)]
    assert_balanced(journal)


def test_a_writer_that_is_killed_leaves_whole_batches(url: str, opening: Opening) -> None:
    """All that was acknowledged is there, a batch under way is there or not; figures say which."""
    with start_writer(url, "killed", 1_000_000, 200) as writer:
        assert writer.stdout is not None
        for _ in range(5):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        lines = [line for line in writer.stdout.read().splitlines() if len(line.split()) == 2]
    assert writer.returncode == -signal.SIGKILL
    journal = opening()
    (report,) = journal.processes()
    events = journal.read(0, 10_000_000)
    assert len(events) == report.stored >= (5 + len(lines)) * 200
    assert len(events) % 200 == 0
    assert_balanced(journal)
    assert Sender(journal, "next").append(make_events(1)).first == len(events) + 1


def test_processes_that_ended_are_kept_as_a_sum(opening: Opening) -> None:
    """The list is bounded, the figures stay exact, and what a dead process had buffered counts as dropped."""
    journal, count = opening(), KEPT_PROCESSES + 100
    for number in range(count):
        sender = Sender(journal, f"process-{number}", seen_ts=number)
        sender.buffered = 1
        sender.append(make_events(2))
    counts = journal.counts()
    assert len(journal.processes()) == KEPT_PROCESSES
    assert (counts.captured, counts.stored, counts.buffered) == (count * 3, count * 2, KEPT_PROCESSES)
    assert counts.dropped == {"process ended": 100}
    assert_balanced(journal)


def test_a_process_that_was_taken_for_ended_may_come_back(opening: Opening) -> None:
    """Nothing of it is counted twice."""
    quiet = Sender(opening(), "quiet", seen_ts=0)
    quiet.buffered = 3
    quiet.append([*make_events(1), make_count(10)])
    others = opening()
    for number in range(KEPT_PROCESSES):
        Sender(others, f"process-{number}", seen_ts=number + 1).append([])
    assert others.counts().dropped == {"process ended": 3}
    quiet.buffered = 0
    quiet.append([*make_events(2), make_count(5)])
    counts = others.counts()
    assert (counts.captured, counts.stored, counts.buffered, counts.dropped) == (5, 5, 0, {})
    assert counts.counted == 15


def test_a_full_ring_stays_as_large_as_it_is(url: str, opening: Opening) -> None:
    """In Redis too, whatever goes through it: entries, transactions and how they ended are forgotten with events."""
    journal = opening(retain_events=1_000)
    sender = Sender(journal)
    for number in range(120):
        sender.append([make_event(transaction=pending(f"tx-{number}-{part}")) for part in range(50)])
        journal.resolve([Outcome(f"tx-{number}-{part}", "committed") for part in range(0, 50, 2)])
        if number == 40:
            journal.pin("incident", 1_990, 2_020)
    assert 950 <= journal.counts().retained <= 1_000
    assert_balanced_but_for_pins(journal)
    entries = ask(url, "XLEN", "events") + ask(url, "XLEN", "kept")
    assert entries <= 1_000 // 50 + 1 + 2
    assert ask(url, "HLEN", "pending") == entries * 50
    assert ask(url, "HLEN", "states") == entries * 25
    assert journal.unpin("incident")
    journal.prune(keep_events=0)
    for key in ("events", "directory", "kept", "kept_directory"):
        assert ask(url, "XLEN", key) == 0
    assert ask(url, "HLEN", "pending") == ask(url, "HLEN", "states") == 0
    assert_balanced(journal)


def assert_balanced_but_for_pins(journal: Journal) -> None:
    counts, bounds = journal.counts(), journal.bounds()
    assert counts.stored == counts.retained + counts.evicted
    ids = [event.id for event in journal.read(0, 10_000)]
    assert ids == [*range(1_990, 2_021), *range(bounds.first, bounds.last + 1)]


def test_a_reader_that_looks_now_and_then_sees_what_there_is(opening: Opening) -> None:
    """Whatever was stored, evicted, pinned and let go since, it reads the same as one that has just come."""
    writer, reader = opening(retain_events=400), opening(retain_events=400)
    sender = Sender(writer)
    for number in range(60):
        sender.append(
            [make_event(sender=f"shop.N{place % 3}", transaction=pending(f"t{number}")) for place in range(37)]
        )
        writer.resolve([Outcome(f"t{number - 3}", "rolled_back")])
        bounds = writer.bounds()
        if number % 7 == 0:
            writer.pin(f"pin-{number}", bounds.last - 5, bounds.last - 2)
        if number % 14 == 0 and number:
            writer.unpin(f"pin-{number - 7}")
        if number % 5 == 0:
            newcomer = opening(retain_events=400)
            for text in ("", "sender:shop.N1", "is:rolledback"):
                chosen = parse(text)
                assert reader.search(chosen, None, 5_000) == newcomer.search(chosen, None, 5_000)
                assert reader.facets(chosen, ["sender"], 9) == newcomer.facets(chosen, ["sender"], 9)
            assert reader.read(0, 5_000) == newcomer.read(0, 5_000)
            assert reader.histogram(parse(""), 0, 2**60, 7) == newcomer.histogram(parse(""), 0, 2**60, 7)


def test_a_reader_forgets_what_is_gone(opening: Opening) -> None:
    """It holds about as much as the journal does, and what is pinned stays found."""
    writer, reader = opening(retain_events=2_000), opening(retain_events=2_000)
    sender = Sender(writer)
    sender.append(make_events(1_000, sender="shop.Pinned"))
    writer.pin("incident", 11, 20)
    many = make_events(1_000, kwargs={})
    for _ in range(FORGOTTEN_EVENTS // 1_000 + 10):
        sender.append(many)
        assert len(reader.search(parse("sender:shop.Pinned"), None, 10).events) == 10
    assert reader._opened is not None  # type: ignore[attr-defined]
    assert len(reader._opened.view().columns.ids) < FORGOTTEN_EVENTS  # type: ignore[attr-defined]
    assert [event.id for event in reader.read(0, 10)] == list(range(11, 21))
