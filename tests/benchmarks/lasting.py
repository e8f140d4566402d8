"""Ten thousand sends a second for ten minutes: whether the memory of the process that sends stays what it is."""

import os
from collections.abc import Iterator

from tests.benchmarks.figures import Figure
from tests.benchmarks.subjects import started

RATE = 10_000
MINUTE = int(os.environ.get("BENCH_SECONDS", "60"))
MINUTES = 10


def measure() -> Iterator[Figure]:
    """Resident memory after the first minute and after the last; into the embedded journal."""
    with started(["livesignals"], "storing") as subjects:
        first = subjects["livesignals"].ask(how="paced", sends=RATE * MINUTE, rate=RATE)
        rest = subjects["livesignals"].ask(how="paced", sends=RATE * MINUTE * (MINUTES - 1), rate=RATE)
    lost = first["dropped"] + rest["dropped"]
    told = (
        f"{first['resident_mib']:.1f} to {rest['resident_mib']:.1f} MiB; {first['stored'] + rest['stored']:,} stored,"
        f" {lost:,} dropped; {rest['cpu'] / rest['sending'] * 100:.0f} % of one core"
    )
    yield Figure(
        f"memory that {MINUTES} × {MINUTE} s at {RATE:,} sends/s add to the first {MINUTE} s",
        rest["resident_mib"] - first["resident_mib"],
        "MiB",
        told,
        at_most=2,
        holds=not lost and MINUTE >= 60,
    )
