"""Bursts of sends, on their own thread and up to where the recorder keeps them."""

import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db.models.signals import post_save
from django.dispatch import Signal

from tests.benchmarks.inside.recorded import flush, recorded, transaction

custom = Signal()
SIGNALS = {"post_save": post_save, "custom": custom}

# Other receivers of the sends that are measured are the recorder's alone.
post_save.disconnect(sender=User, dispatch_uid="shop.open_profile")
user = User(pk=7, username="mary", password="pbkdf2_sha256$1$a$b", email="mary@shop.example")
receivers: list[Callable[..., None]] = [lambda **named: None for _ in range(3)]


def measure(signal: str, receiver_count: int, sends: int) -> dict[str, Any]:
    """Send *sends* times, one after the other, and say what that took.

    ``send_us``: one send, on its thread. ``cpu_us``: processor time of one send until it is kept, all threads.
    ``recorded``: what was kept of them.
    """
    sent = SIGNALS[signal]
    for receiver in receivers[:receiver_count]:
        sent.connect(receiver, sender=User, weak=False)
    sent.send(sender=User, instance=user, created=False, update_fields=None, raw=False, using="default")
    before = recorded()
    cpu = time.process_time()
    with transaction():
        began = time.perf_counter()
        for _ in range(sends):
            sent.send(sender=User, instance=user, created=False, update_fields=None, raw=False, using="default")
        seconds = time.perf_counter() - began
    flush()
    cpu = time.process_time() - cpu
    for receiver in receivers:
        sent.disconnect(receiver, sender=User)
    return {"send_us": seconds / sends * 1e6, "cpu_us": cpu / sends * 1e6, "recorded": recorded() - before}
