"""Sends as fast as they go, or at a pace, into the embedded journal with its default retention."""

import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.dispatch import Signal

from livesignals.journal import Counts
from tests.benchmarks.inside.recorded import flush, journal_counts

flood = Signal()
user = User(pk=7, username="mary", password="pbkdf2_sha256$1$a$b", email="mary@shop.example")
PACE_SECONDS = 0.01
FLUSHED_EVERY = 10_000  # half of what the buffer holds


def measure(how: str, sends: int, rate: int = 0) -> dict[str, Any]:
    """Send *sends* times: ``flushed`` waits for the journal now and then, ``burst`` for nothing, ``paced`` for *rate*
    a second.

    ``sending`` and ``stored_after``: seconds until the last send and until the last one is stored; ``cpu``: processor
    time in seconds, all threads; ``grown_mib``: of resident memory, at its highest; ``resident_mib``: at the end;
    ``captured``, ``stored``, ``dropped``: what became of them.
    """
    _send(1)
    before = journal_counts()
    resident = _memory_kib("VmRSS")
    cpu = time.process_time()
    began = time.perf_counter()
    _WAYS[how](sends, rate)
    sending = time.perf_counter() - began
    flush()
    stored_after = time.perf_counter() - began
    cpu = time.process_time() - cpu
    after = journal_counts()
    return {
        "sending": sending,
        "stored_after": stored_after,
        "cpu": cpu,
        "grown_mib": (_memory_kib("VmHWM") - resident) / 1024,
        "resident_mib": _memory_kib("VmRSS") / 1024,
        "captured": after.captured - before.captured,
        "stored": after.stored - before.stored,
        "dropped": _dropped(after) - _dropped(before),
    }


def _send(times: int) -> None:
    for _ in range(times):
        flood.send(sender=User, instance=user, created=False)


def _flushed(sends: int, rate: int) -> None:
    for _ in range(sends // FLUSHED_EVERY):
        _send(FLUSHED_EVERY)
        flush()


def _burst(sends: int, rate: int) -> None:
    _send(sends)


def _paced(sends: int, rate: int) -> None:
    """What was held up is made up for."""
    at_once = int(rate * PACE_SECONDS)
    began = time.perf_counter()
    for number in range(sends // at_once):
        delay = began + number * PACE_SECONDS - time.perf_counter()
        if delay > 0:
            time.sleep(delay)
        _send(at_once)


_WAYS: dict[str, Callable[[int, int], None]] = {"flushed": _flushed, "burst": _burst, "paced": _paced}


def _dropped(counts: Counts) -> int:
    return sum(counts.dropped.values())


def _memory_kib(name: str) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(f"{name}:"))
