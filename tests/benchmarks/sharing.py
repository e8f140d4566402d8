"""A journal in Redis beside one in an SQLite file: what storing costs, and how fast what it retains is searched."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from livesignals.filters import parse
from livesignals.journal import FACETS, Journal, open_journal
from tests.benchmarks.figures import Figure
from tests.benchmarks.searching import BEGAN, PAGE, STEP_US, fastest_of, fill
from tests.benchmarks.storing import paced
from tests.benchmarks.subjects import Answer, fastest, started
from tests.processes import Program, free_port

ROUNDS = 5
EVENTS = 50_000
QUIET_RATE, QUIET_SECONDS = 2_000, 4
#: As many as are retained by default; the benchmark of searching has a million in an SQLite file.
RETAINED = int(os.environ.get("BENCH_RETAINED", "100000"))
PAGES = ("", "signal:post_save sender:shop.Order", "kwargs.instance.status:refunded", "nothinglikethis")
COUNTED = ("", "kwargs.instance.status:paid")


def measure() -> Iterator[Figure]:
    """The same sends into both, in processes that take turns."""
    with _redis() as (url, processor):
        with started(["livesignals"], "storing") as file, started(["livesignals"], "storing", journal=url) as server:
            rounds: dict[str, list[Answer]] = {"file": [], "server": []}
            used: list[float] = []
            for _ in range(ROUNDS):
                rounds["file"].append(file["livesignals"].ask(how="flushed", sends=EVENTS))
                before = processor()
                rounds["server"].append(server["livesignals"].ask(how="flushed", sends=EVENTS))
                used.append(processor() - before)
            pace = {"sends": QUIET_RATE * QUIET_SECONDS, "rate": QUIET_RATE}
            quiet = {"file": file["livesignals"].ask(how="paced", **pace)}
            before = processor()
            quiet["server"] = server["livesignals"].ask(how="paced", **pace)
            quiet_used = processor() - before
        for answers in (*rounds.values(), quiet.values()):
            for answer in answers:
                if answer["captured"] != answer["stored"]:
                    raise RuntimeError(f"{answer['captured'] - answer['stored']} events were lost")
        yield from _compared("cpu", rounds, "processor time of one event, from send to Redis", "µs", 1e6 / EVENTS)
        yield _figure("… of Redis itself", min(used) / EVENTS * 1e6, "µs", f"the least of {ROUNDS} × {EVENTS:,}")
        cost = {name: answer["cpu"] / answer["captured"] * 1e6 for name, answer in quiet.items()}
        told = f"into SQLite {cost['file']:.1f} µs; Redis itself {quiet_used / pace['sends'] * 1e6:.1f} µs"
        yield _figure(f"… at {QUIET_RATE:,} sends/s", cost["server"], "µs", told)
        rate = {name: EVENTS / fastest(answers, "stored_after") for name, answers in rounds.items()}
        told = f"into SQLite {rate['file']:,.0f} /s"
        yield _figure("events a second into Redis, waiting for it", rate["server"], "/s", told)
        with started(["livesignals"], "storing", journal=url) as server:
            yield from paced("stored in Redis", server["livesignals"])
        yield from _searching(url)


def _searching(url: str) -> Iterator[Figure]:
    with TemporaryDirectory(prefix="livesignals-bench-") as folder:
        journal = _opened(url)
        fill(journal, RETAINED)
        yield from _memory(journal, url)
        journal.close()
        journal = _opened(url, Path(folder))
        yield _timed("a reader that comes", lambda: journal.id_at(0), f"of {RETAINED:,} events in Redis, once", times=1)
        for what in ("without an index", "indexed"):
            for text in PAGES:
                chosen = parse(text)
                found = len(journal.search(chosen, None, PAGE).events)
                told = f"{text or 'every event'} ({found} found)"
                yield _timed(f"first page, {what}", lambda: journal.search(chosen, None, PAGE), told)  # noqa: B023
            for text in COUNTED:
                chosen = parse(text)
                told = f"{text or 'every event'}; of {journal.facets(chosen, FACETS, 20).scanned:,}"
                yield _timed(f"facets, {what}", lambda: journal.facets(chosen, FACETS, 20), told)  # noqa: B023
                told = text or "every event"
                last = BEGAN + RETAINED * STEP_US
                yield _timed(
                    f"histogram of 200 slices, {what}",
                    lambda: journal.histogram(chosen, BEGAN, last, 200),  # noqa: B023
                    told,
                )
            while journal.index(5_000):
                pass
        root = journal.read(RETAINED // 2, 1)[0].root
        yield _timed("the tree of a send", lambda: journal.tree(root), "by the directory")
        journal.close()


def _opened(url: str, folder: Path | None = None) -> Journal:
    return open_journal(f"{url}?name=searching", project="", retain_events=RETAINED, retain_bytes=2**33, folder=folder)


def _memory(journal: Journal, url: str) -> Iterator[Figure]:
    with redis.Redis.from_url(url) as client:
        used = sum(client.memory_usage(key, samples=0) or 0 for key in client.keys("livesignals:{searching}:*"))
    bytes_ = journal.counts().bytes
    told = f"whose JSON has {bytes_ / RETAINED:.0f}"
    yield _figure("memory of Redis for an event", used / RETAINED, "bytes", told)


def _compared(figure: str, rounds: dict[str, list[Answer]], what: str, unit: str, factor: float) -> Iterator[Figure]:
    best = {name: fastest(answers, figure) * factor for name, answers in rounds.items()}
    yield _figure(what, best["server"], unit, f"into SQLite {best['file']:.1f} {unit}; the send itself too")


def _timed(what: str, ask: Callable[[], object], told: str, times: int = 3) -> Figure:
    return _figure(what, fastest_of(ask, times) * 1e3, "ms", told)


def _figure(what: str, value: float, unit: str, told: str) -> Figure:
    return Figure(what, value, unit, told)


@contextmanager
def _redis() -> Iterator[tuple[str, Callable[[], float]]]:
    """The URL of a Redis, and what tells the seconds of processor time that it has used."""
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("redis-server is not on PATH")
    port = free_port()
    with TemporaryDirectory(prefix="livesignals-bench-") as folder:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", ""]
        with Program([program, *options], log=Path(folder, "log")) as server, redis.Redis(port=port) as client:
            server.wait_for_port(port)

            def processor() -> float:
                used = client.info("cpu")
                return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

            yield f"redis://127.0.0.1:{port}", processor
