"""What capture adds to one send, kept or counted, and to reading rows."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth.models import User
from django.db.models.signals import post_save
from django.test.utils import setup_databases, teardown_databases

from livesignals import capture
from livesignals.capture.counting import Ledger, get_count_sink

ROUNDS = 15
SENDS = 5_000
ROWS = 20_000


def measure() -> Iterator[tuple[str, str, str]]:
    """A ``post_save`` of a user with 0, 1 and 3 receivers, with and without capture, counted and switched off; and
    rows that are read, with their ``pre_init`` and ``post_init``."""
    count_sink = get_count_sink()
    capture.set_count_sink(Ledger(lambda: None).add)
    try:
        yield from _sends()
        yield from _rows()
    finally:
        capture.set_count_sink(count_sink)


def _rows() -> Iterator[tuple[str, str, str]]:
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        User.objects.bulk_create(User(username=f"user{n}") for n in range(ROWS))
        for how, signals, counted in (
            ("switched off", [], []),
            ("counted", [], ["pre_init", "post_init"]),
            ("kept", ["*", "pre_init", "post_init"], []),
        ):
            capture.configure(signals, counted)
            plain, attached = _compare(lambda: list(User.objects.iterator()), times=1)
            yield (
                f"added to reading {ROWS:,} rows, pre_init and post_init {how}",
                f"{(attached - plain) / ROWS:.2f} µs a row",
                f"× {attached / plain:.2f} of {plain / 1e6:.3f} s",
            )
    finally:
        capture.configure([])
        teardown_databases(databases, verbosity=0)


def _sends() -> Iterator[tuple[str, str, str]]:
    user = User(pk=7, username="mary", password="pbkdf2_sha256$1$a$b", email="mary@shop.example")
    receivers: list[Callable[..., Any]] = [lambda **named: None for _ in range(3)]
    was_attached, connected = capture.is_attached(), post_save.receivers[:]
    post_save.receivers.clear()
    post_save.sender_receivers_cache.clear()

    def send() -> None:
        post_save.send(sender=User, instance=user, created=False, update_fields=None, raw=False, using="default")

    try:
        for count in (0, 1, 3):
            for receiver in receivers[len(post_save.receivers) : count]:
                post_save.connect(receiver, weak=False)
            plain, attached = _compare(send)
            yield (
                f"added to a send with a model instance and {count} receivers",
                f"{attached - plain:.2f} µs",
                f"plain send {plain:.2f} µs",
            )
            if count < 2:
                capture.configure([], ["post_save"])
                plain, counted = _compare(send)
                capture.configure([])
                yield (
                    f"added when it is counted instead of kept, {count} receivers",
                    f"{counted - plain:.2f} µs",
                    f"plain send {plain:.2f} µs",
                )
        capture.configure(["-*"])
        plain, off = _compare(send)
        yield (
            "added to a send of a signal that is switched off",
            f"{off - plain:.2f} µs",
            f"plain send {plain:.2f} µs",
        )
    finally:
        capture.configure([])
        post_save.receivers[:] = connected
        post_save.sender_receivers_cache.clear()
        capture.detach()
        if was_attached:
            capture.attach()


def _compare(work: Callable[[], Any], times: int = SENDS) -> tuple[float, float]:
    """µs of one call without and with capture, in the fastest of several rounds taken in turn: what else the machine
    does can only add."""
    capture.set_sink(lambda send: None)
    plain = attached = float("inf")
    for _ in range(ROUNDS):
        capture.detach()
        plain = min(plain, _seconds(work, times))
        capture.attach()
        attached = min(attached, _seconds(work, times))
    return plain / times * 1e6, attached / times * 1e6


def _seconds(work: Callable[[], Any], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - began
