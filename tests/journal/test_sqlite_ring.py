"""The ring of an SQLite journal under use, and the bounds of its bookkeeping."""

import threading
from itertools import pairwise
from pathlib import Path

import apsw

from livesignals.filters import parse
from livesignals.journal import Journal
from livesignals.journal.accounts import KEPT_PROCESSES
from tests.journal.building import Sender, assert_balanced, make_count, make_events
from tests.journal.conftest import OpenAt


def test_a_reader_sees_whole_moments_while_the_ring_prunes(path: Path, open_at: OpenAt) -> None:
    """Ids without holes, forwards only, and what was missed shows in where a tail begins."""
    writer, reader = open_at(path, retain_events=500), open_at(path, retain_events=500)
    sender = Sender(writer)
    sender.append(make_events(500))
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            position = 0
            while not done.is_set() or position < reader.bounds().last:
                tail = reader.tail(position, 200)
                assert tail.after >= position
                assert tail.last == tail.after + len(tail.lines)
                position = tail.last
                found = [event.id for event in reader.search(parse(""), None, 100).events]
                assert all(newer == older + 1 for newer, older in pairwise(found))
                counts = reader.counts()
                assert counts.stored == counts.retained + counts.evicted
                assert 0 < counts.retained <= 500
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(100):
        sender.append(make_events(50))
    done.set()
    thread.join()
    assert failures == []
    assert_balanced(reader)


def test_a_lowered_limit_is_reached_step_by_step(path: Path, open_at: OpenAt) -> None:
    """No append pays for more than twice its own events."""
    Sender(open_at(path), "before").append(make_events(1_000))
    journal = open_at(path, retain_events=100)
    sender = Sender(journal)
    for _ in range(200):
        evicted = journal.counts().evicted
        sender.append(make_events(10))
        assert journal.counts().evicted - evicted <= 20
    assert 90 <= journal.counts().retained <= 100
    assert_balanced(journal)


def test_the_file_does_not_grow_for_ever(path: Path, open_at: OpenAt) -> None:
    """What the ring evicts makes room for what comes, in the file and in its log."""
    journal = open_at(path, retain_events=1_000)
    sender = Sender(journal)

    def size() -> int:
        return sum(file.stat().st_size for file in path.parent.iterdir())

    for _ in range(40):
        sender.append(make_events(100))
    journal.close()
    full = size()
    for _ in range(160):
        sender.append(make_events(100))
    journal.close()
    assert size() < full * 1.5


def test_processes_that_ended_are_kept_as_a_sum(path: Path, journal: Journal) -> None:
    """The list is bounded, the figures stay exact, and what a dead process had buffered counts as dropped."""
    count = KEPT_PROCESSES + 100
    for number in range(count):
        sender = Sender(journal, f"process-{number}", seen_ts=number)
        sender.buffered = 1
        sender.append(make_events(2))
        assert_balanced(journal) if number % 50 == 0 else None
    counts = journal.counts()
    assert len(journal.processes()) == KEPT_PROCESSES
    assert (counts.captured, counts.stored, counts.buffered) == (count * 3, count * 2, KEPT_PROCESSES)
    assert counts.dropped == {"process ended": 100}
    assert_balanced(journal)


def test_a_process_that_was_taken_for_ended_may_come_back(path: Path, open_at: OpenAt) -> None:
    """Nothing of it is counted twice."""
    quiet = Sender(open_at(path), "quiet", seen_ts=0)
    quiet.buffered = 3
    quiet.append([*make_events(1), make_count(10)])
    others = open_at(path)
    for number in range(KEPT_PROCESSES):
        Sender(others, f"process-{number}", seen_ts=number + 1).append([])
    assert others.counts().dropped == {"process ended": 3}
    assert others.counts().counted == 10
    quiet.buffered = 0
    quiet.append([*make_events(2), make_count(5)])
    counts = others.counts()
    assert (counts.captured, counts.stored, counts.buffered, counts.dropped) == (5, 5, 0, {})
    assert counts.counted == 15
    assert_balanced(others)


def test_reports_from_before_sends_were_counted_are_read(path: Path, journal: Journal) -> None:
    """They count none, and what the process counts from then on is added."""
    sender = Sender(journal)
    sender.append(make_events(2))
    with apsw.Connection(str(path)) as older:
        older.execute("UPDATE processes SET report = json_remove(report, '$.counted')")
    older.close()
    assert journal.counts().counted == 0
    sender.append([make_count(5)])
    assert (journal.counts().counted, journal.counts().stored) == (5, 3)
    assert_balanced(journal)


def test_doctor_finds_figures_that_are_wrong(path: Path, journal: Journal) -> None:
    """And a whole file has to be whole inside."""
    Sender(journal).append(make_events(5))
    assert journal.check() == []
    assert len(journal.search(parse(""), None, 10).events) == 5  # are rows from now on
    database = apsw.Connection(str(path))
    database.execute("DELETE FROM events WHERE id = 3")
    database.close()
    [problem] = journal.check()
    assert problem.level == "error"
    assert "4 events and counts 5" in problem.message


def test_causes_and_trees_are_found_by_an_index(path: Path, journal: Journal) -> None:
    """Opening a row in the page must not read the whole journal."""
    Sender(journal).append(make_events(5))
    database = apsw.Connection(str(path))
    for where in ("root = 'x'", "cause_id = 'x' AND cause_id != ''", "tx_state = 'pending' AND tx_id = 'x'"):
        plan = database.execute(f"EXPLAIN QUERY PLAN SELECT body FROM events WHERE {where} ORDER BY id").fetchall()
        assert [str(step[3]).startswith("SEARCH events USING INDEX") for step in plan] == [True]
    database.close()
