"""What a process really sent: receivers that write a line for each send into the file that ``WITNESS`` names.

A test compares it with the journal. Imported by a process under test once Django is set up.
"""

import atexit
import os
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.signals import request_finished, request_started
from django.dispatch import Signal
from django.test.signals import template_rendered

from project.shop.signals import page_served

numbered = Signal()

WITNESSED = {
    "django.core.signals.request_started": request_started,
    "django.core.signals.request_finished": request_finished,
    "django.test.signals.template_rendered": template_rendered,
    "project.shop.signals.page_served": page_served,
    "tests.servers.witness.numbered": numbered,
}

#: How often each process sent each signal.
Sends = Counter[tuple[int, str]]


def watch() -> None:
    """Write down the sends of this process and of those that it forks; each makes a last one when it ends."""
    descriptor = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for name, signal in WITNESSED.items():

        def write_down(sender: object, name: str = name, **kwargs: Any) -> None:
            os.write(descriptor, f"{os.getpid()} {name}\n".encode())

        signal.connect(write_down, weak=False)
    atexit.register(numbered.send, sender="at exit")


def read(path: Path) -> Sends:
    """What was written down so far."""
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter((int(pid), name) for pid, name in (line.split(" ", 1) for line in lines))
