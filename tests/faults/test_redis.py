"""A Redis that is killed, stopped, emptied, full, slow or replaced while processes write and read."""

from collections.abc import Callable, Iterator
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


FORGETTING = (kill, kill_and_restart_at_once, flush)


@pytest.mark.parametrize("harm", [*FORGETTING, stop, fill], ids=lambda harm: harm.__name__)
def test_a_redis_that_is_harmed(tmp_path: Path, redis: RedisServer, harm: Callable[[RedisServer, Scene], None]) -> None:
    """All go on by themselves. What it forgot is told as stored elsewhere, in another epoch; else nothing is lost."""
    with Scene(tmp_path, redis.url + QUICK) as scene:
        scene.start()
        harm(redis, scene)
        events = scene.settle()
        counts, lists = scene.journal.counts(), scene.readers[0].lists
        assert [event.id for event in events] == list(range(1, counts.retained + 1))
        if harm in FORGETTING:
            assert set(counts.dropped) == {"stored in another journal"}
            assert lists[-1].notices[-1]["notice"] == "epoch"
        else:
            assert counts.dropped == {}
            assert len(lists) == 1


def test_a_redis_that_is_slow(tmp_path: Path, redis: RedisServer) -> None:
    """Each command comes 100 ms late: so do batches, and none is lost."""
    between = Between(redis.port)
    with Scene(tmp_path, f"redis://127.0.0.1:{between.port}") as scene:
        scene.start()
        between.delay_seconds = 0.1
        scene.wait_for_sends(2_000)
        between.delay_seconds = 0.0
        scene.settle()
        assert scene.journal.counts().dropped == {}
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
        assert lists[-1].notices[-1]["notice"] == "epoch"
