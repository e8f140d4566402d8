"""How fast events get into the embedded journal, from one process that does nothing else, and what a flood does."""

import os
from collections.abc import Iterator

from tests.benchmarks.figures import Figure
from tests.benchmarks.subjects import Answer, Subject, fastest, started

ROUNDS = 5
EVENTS = 50_000
RATE = 50_000
BURST = 1_000_000
#: Of a project that is used: a batch then holds what was sent while the flusher waited for company, and little more.
QUIET_RATE, QUIET_SECONDS = 2_000, 4
#: How long the paced sends go on; the target says a minute.
SECONDS = int(os.environ.get("BENCH_SECONDS", "60"))


def measure() -> Iterator[Figure]:
    """Events with a model instance and no receiver, from ``send`` to the SQLite file, and what became of them."""
    with started(["livesignals"], "storing") as subjects:
        rounds = [subjects["livesignals"].ask(how="flushed", sends=EVENTS) for _ in range(ROUNDS)]
        quiet = subjects["livesignals"].ask(how="paced", sends=QUIET_RATE * QUIET_SECONDS, rate=QUIET_RATE)
    for answer in rounds:
        _account(answer, EVENTS)
    cpu = fastest(rounds, "cpu") / EVENTS * 1e6
    told = f"whole process, the send itself too; the fastest of {ROUNDS} × {EVENTS:,}"
    yield Figure("processor time of one event, from send to journal", cpu, "µs", told, at_most=12)
    _account(quiet, QUIET_RATE * QUIET_SECONDS)
    quiet_us = quiet["cpu"] / quiet["captured"] * 1e6
    yield Figure(f"… at {QUIET_RATE:,} sends/s", quiet_us, "µs", "small batches; what the pace costs is in it")
    rate = EVENTS / fastest(rounds, "stored_after")
    yield Figure(
        "events a second into the journal, waiting for it", rate, "/s", f"the fastest of {ROUNDS} × {EVENTS:,}"
    )

    with started(["livesignals"], "storing") as subjects:
        yield from paced("stored", subjects["livesignals"])

    with started(["livesignals"], "storing") as subjects:
        burst = subjects["livesignals"].ask(how="burst", sends=BURST)
    _account(burst, BURST)
    told = f"{_told(burst)}, in {burst['stored_after']:.1f} s"
    yield Figure("peak memory that a burst of a million sends adds", burst["grown_mib"], "MiB", told, at_most=64)


def paced(what: str, subject: Subject) -> Iterator[Figure]:
    """Whether a minute at the highest rate is stored without loss, and of how much of a core that takes."""
    answer = subject.ask(how="paced", sends=RATE * SECONDS, rate=RATE)
    _account(answer, RATE * SECONDS)
    yield Figure(
        f"{what} without loss at {RATE:,} sends/s for {SECONDS} s",
        (RATE * SECONDS - answer["dropped"]) / answer["sending"],
        "/s",
        f"{_told(answer)}; sending took {answer['sending']:.1f} s",
        at_least=RATE,
        holds=not answer["dropped"] and SECONDS >= 60,
    )
    share = answer["cpu"] / answer["stored_after"]
    each = f"{answer['cpu'] / (RATE * SECONDS) * 1e6:.1f} µs a send"
    yield Figure("… of one core, meanwhile", share * 100, "%", each)


def _told(answer: Answer) -> str:
    return f"{answer['captured']:,} captured = {answer['stored']:,} stored + {answer['dropped']:,} dropped"


def _account(answer: Answer, sends: int) -> None:
    """Raises RuntimeError when a send is missing from the account."""
    if not answer["captured"] == sends == answer["stored"] + answer["dropped"]:
        raise RuntimeError(f"of {sends:,} sends, {_told(answer)}")
