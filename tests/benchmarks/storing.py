"""How fast events get into the embedded journal, from one process that does nothing else, and what a flood does."""

import os
from collections.abc import Iterator

from tests.benchmarks.figures import Figure
from tests.benchmarks.subjects import Answer, fastest, started

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
        paced = subjects["livesignals"].ask(how="paced", sends=RATE * SECONDS, rate=RATE)
    _account(paced, RATE * SECONDS)
    yield Figure(
        f"stored without loss at {RATE:,} sends/s for {SECONDS} s",
        (RATE * SECONDS - paced["dropped"]) / paced["sending"],
        "/s",
        f"{_told(paced)}; sending took {paced['sending']:.1f} s",
        at_least=RATE,
        holds=not paced["dropped"] and SECONDS >= 60,
    )
    share = paced["cpu"] / paced["stored_after"]
    yield Figure("… of one core, meanwhile", share * 100, "%", f"{paced['cpu'] / (RATE * SECONDS) * 1e6:.1f} µs a send")

    with started(["livesignals"], "storing") as subjects:
        burst = subjects["livesignals"].ask(how="burst", sends=BURST)
    _account(burst, BURST)
    told = f"{_told(burst)}, in {burst['stored_after']:.1f} s"
    yield Figure("peak memory that a burst of a million sends adds", burst["grown_mib"], "MiB", told, at_most=64)


def _told(answer: Answer) -> str:
    return f"{answer['captured']:,} captured = {answer['stored']:,} stored + {answer['dropped']:,} dropped"


def _account(answer: Answer, sends: int) -> None:
    """Raises RuntimeError when a send is missing from the account."""
    if not answer["captured"] == sends == answer["stored"] + answer["dropped"]:
        raise RuntimeError(f"of {sends:,} sends, {_told(answer)}")
