"""Programs of the shop's project that a test runs in processes of their own, and what they leave in their journal."""

import os
import subprocess
import sys
from pathlib import Path

from msgspec import UNSET

from livesignals.events import Event
from livesignals.filters import parse
from livesignals.journal import Journal, open_journal

ROOT = Path(__file__).parents[2]

START = """
import atexit, os, sys, threading, time
import django
django.setup()
from django.dispatch import Signal
from livesignals.transport.process import get_flusher
numbered = Signal()
def send(*numbers):
    for n in numbers:
        numbered.send(sender="numbers", n=n)
"""
#: Before a program that forks: on a busy machine a batch takes longer than a fork waits for it, and Python warns.
PATIENT = """
from livesignals.transport import flusher
flusher.FORK_SECONDS = 30
"""


def run(
    program: str,
    journal: Path | str,
    *arguments: str,
    exits_with: int = 0,
    start: str = START,
    file: Path | None = None,
) -> str:
    """Run a program, after *start*, with its journal at a path or URL; what it wrote to stderr.

    It is written to *file* first when there is one: spawned children import what they run.
    """
    if file is not None:
        file.write_text(start + program)
    ended = subprocess.run(
        [sys.executable, "-W", "always", *(["-c", start + program] if file is None else [file]), *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "LIVESIGNALS_JOURNAL": _url(journal),
        },
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == exits_with, ended.stderr
    return ended.stderr


def _url(journal: Path | str) -> str:
    return journal if isinstance(journal, str) else f"sqlite:///{journal}"


def stored(at: Path | str) -> list[Event]:
    """What the numbered signal's sends left in the journal of other processes; its figures agree."""
    journal: Journal = open_journal(_url(at), project="", retain_events=10**6, retain_bytes=2**30)
    counts = journal.counts()
    assert counts.captured == counts.stored + sum(counts.dropped.values()) + counts.buffered
    assert (counts.dropped, counts.buffered) == ({}, 0)
    events = journal.read(0, 10**6)
    assert counts.counted == sum(event.counted.sends for event in events if event.counted is not UNSET)
    found = journal.search_forward(parse("sender:numbers"), after=0, limit=10**6)
    journal.close()
    return found.events
