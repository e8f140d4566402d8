"""How much longer a request of the project takes while the journal is out of order."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from livesignals.journal import open_journal
from tests.benchmarks.figures import Figure
from tests.benchmarks.serving import Client, Server
from tests.faults.files import AS_ROOT, fill, locked, small_disk
from tests.journal.redis_servers import Between, RedisServer

#: With the journal in order and out of order, taking turns; a fault lasts longer than what is tried at once.
SECONDS, ROUNDS = 3.0, 5
SLOW_SECONDS = 0.1
RETAINED = 20_000

Fault = Callable[[], AbstractContextManager[object]]


def measure() -> Iterator[Figure]:
    """The order of "serving", over daphne, each request timed by who makes it."""
    with TemporaryDirectory(prefix="livesignals-bench-") as name:
        folder = Path(name)
        with small_disk(folder) if AS_ROOT else nullcontext(folder / "filler") as filler:
            path = folder / "journal.sqlite3"
            with Server("livesignals", f"sqlite:///{path}") as server:
                journal = open_journal(f"sqlite:///{path}", project="", retain_events=1, retain_bytes=1)
                journal.retain(RETAINED, None)  # what is full is the disk with the filler, never without
                journal.close()
                yield from _compared(server, "its file locked", lambda: locked(path))
                if AS_ROOT:
                    yield from _compared(server, "its disk full", lambda: _full(filler))
    with TemporaryDirectory(prefix="livesignals-bench-") as name, RedisServer(Path(name), "--save", "") as redis:
        between = Between(redis.port)
        with Server("livesignals", f"redis://127.0.0.1:{between.port}") as server:
            yield from _compared(server, "Redis slow by 100 ms", lambda: _slow(between))
            yield from _compared(server, "Redis stopped", redis.frozen)
            yield from _compared(server, "Redis killed", lambda: _killed(redis))
        between.close()


def _compared(server: Server, what: str, fault: Fault) -> Iterator[Figure]:
    _order(server)  # warms up
    healthy: list[list[float]] = []
    faulty: list[list[float]] = []
    for _ in range(ROUNDS):
        healthy.append(_order(server))
        with fault():
            faulty.append(_order(server))
        server.clients[0].figures()  # waits until what was buffered is stored
    for name, share in (("the worst request", 1.0), ("p99 of requests", 0.99)):
        # Of the calmest round: what else the machine does can only add, and what a fault adds, it adds in each.
        before, now = (min(_quantile(each, share) for each in rounds) for rounds in (healthy, faulty))
        yield Figure(
            f"added to {name}, journal with {what}",
            now - before,
            "ms",
            f"{now:.1f} to {before:.1f} ms; of all {_worst(faulty, share):.0f} to {_worst(healthy, share):.0f} ms",
            at_most=50,
        )


def _order(server: Server) -> list[float]:
    """The milliseconds of each request. One that fails is an error."""
    clients = server.pool.map(_timed, server.clients)
    return [milliseconds for of_client in clients for milliseconds in of_client]


def _timed(client: Client) -> list[float]:
    taken = []
    until = time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < until:
        client.order(1)
        taken.append((time.perf_counter() - began) * 1e3)
    return taken


def _worst(rounds: list[list[float]], share: float) -> float:
    return max(_quantile(each, share) for each in rounds)


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@contextmanager
def _full(filler: Path) -> Iterator[None]:
    fill(filler)
    yield
    filler.unlink()


@contextmanager
def _slow(between: Between) -> Iterator[None]:
    between.delay_seconds = SLOW_SECONDS
    yield
    between.delay_seconds = 0.0


@contextmanager
def _killed(redis: RedisServer) -> Iterator[None]:
    redis.kill()
    yield
    redis.start()
