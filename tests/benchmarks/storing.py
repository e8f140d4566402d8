"""How fast events get into the embedded journal, from one process that does nothing else."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from django.contrib.auth.models import User
from django.dispatch import Signal

from livesignals import capture
from livesignals.journal import open_journal
from livesignals.snapshot import Masking
from livesignals.transport.flusher import Flusher

EVENTS = 50_000
BURST = 10_000

flood = Signal()


def measure() -> Iterator[tuple[str, str, str]]:
    """Events a second from ``send`` to the SQLite file, and the processor time that one event takes in all."""
    user = User(pk=7, username="mary", password="pbkdf2_sha256$1$a$b", email="mary@shop.example")
    with tempfile.TemporaryDirectory() as folder:
        journal = open_journal(
            f"sqlite:///{Path(folder) / 'journal.sqlite3'}",
            project="",
            retain_events=10**6,
            retain_bytes=2**30,
        )
        flusher = Flusher(lambda: journal, lambda: capture.Describer(Masking(), names_only=False))
        was_attached = capture.is_attached()
        capture.set_sink(flusher.put)
        capture.attach()
        flusher.start()
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(EVENTS // BURST):
            for _ in range(BURST):
                flood.send(sender=User, instance=user, created=False)
            flusher.flush(60)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        counts = journal.counts()
        flusher.close()
        journal.close()
        if not was_attached:
            capture.detach()
    yield (
        "events a second into the embedded journal, one process",
        f"{counts.stored / seconds:,.0f} /s",
        f"{counts.stored} stored, {sum(counts.dropped.values())} dropped",
    )
    yield "processor time of one event, from send to journal", f"{cpu / EVENTS * 1e6:.1f} µs", "whole process"
