"""What capture adds to one send."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth.models import User
from django.db.models.signals import post_save

from livesignals import capture

ROUNDS = 15
SENDS = 5_000


def measure() -> Iterator[tuple[str, str, str]]:
    """A ``post_save`` of a user with 0, 1 and 3 receivers, with and without capture, and switched off."""
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


def _compare(work: Callable[[], None]) -> tuple[float, float]:
    """µs of one call without and with capture, in the fastest of several rounds taken in turn: what else the machine
    does can only add."""
    capture.set_sink(lambda send: None)
    plain = attached = float("inf")
    for _ in range(ROUNDS):
        capture.detach()
        plain = min(plain, _seconds(work))
        capture.attach()
        attached = min(attached, _seconds(work))
    return plain / SENDS * 1e6, attached / SENDS * 1e6


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    for _ in range(SENDS):
        work()
    return time.perf_counter() - began
