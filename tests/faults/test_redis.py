"""A Redis that is killed, stopped, emptied, full, slow or replaced while processes write and read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Scene, wait_until
from tests.journal.redis_servers import Between, RedisServer, watched

QUICK = "?socket_timeout=1&name=faults"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One that keeps nothing over a restart."""
    with RedisServer(tmp_path / "redis", "--save", "") as server:
        yield server


def kill(server: RedisServer, scene: Scene) -> None:
    server.kill()
    scene.wait_for_sends(500)
    server.start()


def kill_and_restart_at_once(server: RedisServer, scene: Scene) -> None:
    server.restart()


def flush(server: RedisServer, scene: Scene) -> None:
    server.ask("FLUSHALL")


def stop(server: RedisServer, scene: Scene) -> None:
    with server.frozen():
        scene.wait_for_sends(2_000)


def fill(server: RedisServer, scene: Scene) -> None:
    server.ask("CONFIG", "SET", "maxmemory", "1mb")
    scene.wait_for_sends(1_000)
    server.ask("CONFIG", "SET", "maxmemory", "0")


def test_a_redis_that_forgets_again_and_again(tmp_path: Path, redis: RedisServer) -> None:
    """Killed, restarted, emptied: what it forgot is told as stored elsewhere, and all go on in another epoch."""
    with Scene(tmp_path, redis.url + QUICK) as scene:
        scene.start()
        for harm in (kill, kill_and_restart_at_once, flush):
            harm(redis, scene)
            scene.recover()
            scene.wait_for_sends(300)
        events = scene.settle()
        counts, lists = scene.journal.counts(), scene.readers[0].lists
        assert [event.id for event in events] == list(range(1, counts.retained + 1))
        assert set(counts.dropped) == {"stored in another journal"}
        assert len(lists) == 4
        assert [shown for shown in lists[1:] if shown.notices[0]["reason"] != "epoch reset"] == []


def test_a_redis_that_cannot_be_used_for_a_while(tmp_path: Path, redis: RedisServer) -> None:
    """Stopped, full, slow by 100 ms a call: nothing is lost, and the list goes on."""
    between = Between(redis.port)
    with Scene(tmp_path, f"redis://127.0.0.1:{between.port}{QUICK}") as scene:
        scene.start()
        for harm in (stop, fill):
            harm(redis, scene)
            scene.recover()
        between.delay_seconds = 0.1
        scene.wait_for_sends(1_500)
        between.delay_seconds = 0.0
        events = scene.settle()
        assert scene.journal.counts().dropped == {}
        assert [event.id for event in events] == list(range(1, len(events) + 1))
        assert len(scene.readers[0].lists) == 1
    between.close()


def test_its_failover(tmp_path: Path) -> None:
    """The primary is killed, Sentinel makes the replica one: writers and readers go there under another epoch."""
    with (
        watched(tmp_path) as (port, primary, replica),
        Scene(tmp_path, f"redis+sentinel://127.0.0.1:{port}/shop/0{QUICK}") as scene,
    ):
        scene.start()
        primary.kill()
        wait_until(lambda: replica.ask("ROLE")[0] == b"master", "another primary")
        scene.settle()
        counts, lists = scene.journal.counts(), scene.readers[0].lists
        # What the replica had not been given yet is not there.
        assert set(counts.dropped) <= {"stored in another journal"}
        assert lists[-1].notices[0]["reason"] == "epoch reset"
