"""A process that sends numbers until it is told to stop: ``python -m tests.faults.writer WITNESS RATE [clock]``.

It counts its sends in the file WITNESS, which is mapped into memory and so outlives a SIGKILL: how many returned,
whether it is to stop, whether its clock is to go back. With "clock" its wall clock can be set back by an hour.
"""

import mmap
import sys
import time
from pathlib import Path

import django
from django.dispatch import Signal

numbered = Signal()

#: What WITNESS holds, as unsigned 64-bit integers.
SENT, STOPS, IS_BACK = range(3)
WITNESS_BYTES = 24
HOUR_NS = 3_600_000_000_000


def main(witness: str, per_second: float, has_clock: bool) -> None:
    with Path(witness).open("r+b") as file:
        told = memoryview(mmap.mmap(file.fileno(), WITNESS_BYTES)).cast("Q")
    if has_clock:
        _take_the_clock(told)
    django.setup()
    sender, number, began = Path(witness).name, 0, time.perf_counter()
    while not told[STOPS]:
        due = int((time.perf_counter() - began) * per_second)
        while number < due and not told[STOPS]:
            number += 1
            numbered.send(sender=sender, n=number)
            told[SENT] = number
        time.sleep(0.005)


def _take_the_clock(told: memoryview) -> None:
    """Before anything of livesignals is imported. The system's own clock is not a test's to set."""
    time_ns, seconds = time.time_ns, time.time
    time.time_ns = lambda: time_ns() - told[IS_BACK] * HOUR_NS
    time.time = lambda: seconds() - told[IS_BACK] * HOUR_NS / 1e9


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), "clock" in sys.argv[3:])
