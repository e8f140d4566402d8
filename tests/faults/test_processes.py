"""Processes that are many, or that end without a word."""

import os
import signal
import time
from pathlib import Path

import pytest

from livesignals.journal.liveness import find_gone
from tests.faults.conftest import Scene, Writer, wait_until
from tests.journal.redis_servers import Between
from tests.journal.test_sqlite_processes import locks_of


def test_eight_writers_and_four_servers(either: Scene) -> None:
    """All at once: each server's reader gets every event once and in order."""
    servers = [either.serve() for _ in range(4)]
    readers = [either.read(server) for server in servers]
    for _ in range(8):
        either.write(500)
    wait_until(lambda: all(writer.sent > 500 for writer in either.writers), "the first sends of all")
    events = either.settle()
    assert either.journal.counts().dropped == {}
    assert len(events) == sum(writer.sent for writer in either.writers)
    for reader in readers:
        assert len(reader.lists) == 1
        assert reader.lists[0].spans[0].first == 1


def test_a_server_that_is_killed_while_ten_thousand_a_second_arrive(either: Scene) -> None:
    """Again and again: its reader comes back to where it was, and misses nothing."""
    server = either.serve()
    reader = either.read(server)
    either.write(10_000)
    for number in range(2):
        wait_until(lambda: any(span.kind == "more" for span in reader.lists[0].spans), "a flood")
        server.process.kill()
        server.process.wait()
        either.wait_for_sends(2_000)
        server = either.serve(server.port)
        wait_until(lambda: reader.connections == number + 2, "the reader is back")  # noqa: B023
        at = reader.id
        wait_until(lambda: reader.id > at, "it reads on")  # noqa: B023
    either.settle()
    assert len(reader.lists) == 1
    assert reader.lists[0].spans[0].first == 1


def stop_within_a_batch(writer: Writer) -> None:
    """Stop the process while it holds SQLite's lock to write."""
    while True:
        writer.process.send_signal(signal.SIGSTOP)
        if any(" WRITE " in line for line in locks_of(writer.process.pid)):
            return
        writer.process.send_signal(signal.SIGCONT)
        time.sleep(0.001)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="it cannot be seen here who holds a lock")
def test_a_writer_that_is_killed_within_a_batch(scene: Scene) -> None:
    """Of an SQLite file: the others go on at once; what it had buffered is dropped with the reason."""
    scene.read(scene.serve())
    others = [scene.write(500) for _ in range(2)]
    for _ in range(3):
        killed = scene.write(10_000)
        scene.wait_for_report(killed)
        stop_within_a_batch(killed)
        killed.kill()
        scene.wait_for_sends(100)
    events = scene.settle()
    counts = scene.journal.counts()
    assert set(counts.dropped) == {"process ended"}
    assert len(events) == counts.stored
    for writer in others:
        assert sum(event.sender == writer.name for event in events) == writer.sent
    assert len(scene.readers[0].lists) == 1


def test_a_writer_that_is_killed_while_its_batch_is_on_the_way(tmp_path: Path, redis_url: str) -> None:
    """To a Redis: the batch is stored whole or not at all; the rest of its buffer is dropped with the reason."""
    url, between = f"{redis_url}?name=killed-{os.getpid()}", Between(int(redis_url.rpartition(":")[2]))
    with Scene(tmp_path, url) as scene:
        scene.read(scene.serve())
        other = scene.write(500)
        scene.environment["LIVESIGNALS_JOURNAL"] = url.replace(redis_url, f"redis://127.0.0.1:{between.port}")
        for _ in range(2):
            killed = scene.write(10_000)
            scene.wait_for_report(killed)
            between.delay_seconds = 0.3
            wait_until(lambda: between.held, "a batch is on its way")
            killed.kill()
            between.delay_seconds = 0.0
            wait_until(lambda: not between.held, "it has come")
        events = scene.settle()
        assert set(scene.journal.counts().dropped) <= {"process ended"}
        assert sum(event.sender == other.name for event in events) == other.sent
        assert len(scene.readers[0].lists) == 1
    between.close()


def test_a_clock_that_goes_back_by_an_hour(either: Scene) -> None:
    """In one writer while it writes, in another from its start: order, figures and who is there do not go by clocks."""
    either.read(either.serve())
    either.write(500)
    back, late = either.write(500, "clock"), either.write(500, "clock")
    late.set_clock_back()
    wait_until(lambda: either.readers[0].id > 1_000, "all are at work")
    back.set_clock_back()
    either.wait_for_sends(1_000)
    assert [report.pid for report in find_gone(either.journal.processes())] == []
    events = either.settle()
    assert either.journal.counts().dropped == {}
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    hours = {event.ts[:13] for event in events if event.sender == back.name}
    assert len(hours) == 2
    assert len(either.readers[0].lists) == 1
