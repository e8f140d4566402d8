"""``manage.py traffic``: behaves like many customers of a running shop."""

import asyncio
import contextlib
import signal
import time
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from project.shop.traffic import Crowd


class Command(BaseCommand):
    help = "Visits a running shop as many customers would: browsing, buying, failing. Ctrl-C ends it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rate", type=_positive, default=5.0, help="requests a second, by all together (5)")
        parser.add_argument("--seconds", type=_positive, help="how long (until it is interrupted)")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the shop is (%(default)s)")
        parser.add_argument("--customers", type=int, help="how many at once (from 4 to 100, as the rate asks)")

    def handle(self, *args: Any, rate: float, url: str, verbosity: int, **options: Any) -> None:
        customers = options["customers"] or max(4, min(100, round(rate)))
        crowd = Crowd(url.rstrip("/"), rate, customers, self._say)
        began = time.monotonic()
        asyncio.run(_until_stopped(crowd, options["seconds"]))
        if verbosity:
            self._say(_summary(crowd, time.monotonic() - began))

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


async def _until_stopped(crowd: Crowd, seconds: float | None) -> None:
    """Runs the crowd until SIGINT or SIGTERM arrives or the time is over."""
    visiting = asyncio.create_task(crowd.visit())
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, visiting.cancel)
    await asyncio.wait([visiting], timeout=seconds)
    visiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await visiting


def _summary(crowd: Crowd, seconds: float) -> str:
    total = crowd.answers.total()
    refused = sum(count for status, count in crowd.answers.items() if 400 <= status < 500)
    failed = sum(count for status, count in crowd.answers.items() if status >= 500)
    return f"{total} requests in {seconds:.0f} s ({total / seconds:.1f} a second), {refused} refused, {failed} failed."


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{text} is not more than 0")
    return number
