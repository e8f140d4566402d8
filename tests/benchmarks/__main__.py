"""``python -m tests.benchmarks [NAME…]``: measure and print one table.

Everything that is compared is measured in the same run, taking turns. ``BENCH_SECONDS`` shortens the minute of
paced sends, whose target then does not count as reached.
"""

import importlib
import os
import platform
import sys

import django

from tests.benchmarks.figures import HEADING

NAMES = (
    "sending",
    "serving",
    "storing",
    "sharing",
    "faults",
    "searching",
    "starting",
    "painting",
    "flooding",
    "browsing",
    "dashboards",
    "lasting",
)


def main(names: list[str]) -> None:
    """Run the named benchmarks, all without names."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}.")
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    versions = f"Python {platform.python_version()}, Django {django.get_version()}"
    print(f"{versions}, {os.cpu_count()} cores, load average {load}\n\n{HEADING}")
    for name in names or NAMES:
        for figure in importlib.import_module(f"tests.benchmarks.{name}").measure():
            print(figure, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
