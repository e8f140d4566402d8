"""Capture, from the send to the journal, in a process of a suite that knows nothing of livesignals.

A suite chooses its own ``INSTALLED_APPS``, so what ``livesignals.apps`` wires is wired here. How the run went is told
to the file that ``SUITE_OUTCOMES`` names, as JSON::

    {"run": 55, "outcomes": {"dispatch.tests.SomeTests.test_x": ["failed"]},
     "captured": 5120, "stored": 5120, "dropped": {}, "logged": []}

Tests that passed are counted in "run" and not listed. What livesignals logs as an error is in "logged".
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from livesignals import capture
from livesignals.capture import causes, scope
from livesignals.transport.process import get_flusher, get_journal

IS_WANTED = os.environ["SUITE_CAPTURE"] == "1"


class _Logged(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(logging.Formatter().format(record))


_logged = _Logged()


def attach() -> None:
    """Record every send from now on, those for each row that is read too."""
    if not IS_WANTED:
        return
    logging.getLogger("livesignals").addHandler(_logged)
    scope.PROCESS.kind = "test"
    capture.configure(["*", "pre_init", "post_init"])
    capture.set_sink(get_flusher().put)
    capture.set_outcome_sink(get_flusher().put_outcome)
    capture.attach()


def start() -> None:
    """Describe and store what is captured. The suite's settings are ready."""
    if not IS_WANTED:
        return
    settings.LIVESIGNALS = {"ENABLED": True, "JOURNAL": "memory:", "RETAIN_EVENTS": 10_000, "VALUES": "masked"}
    causes.attach()  # once more: Django's commands are loaded by now
    get_flusher().start()


def finish(run: int, outcomes: Mapping[str, list[str]]) -> None:
    """Tell how the run went."""
    told: dict[str, Any] = {"run": run, "outcomes": outcomes}
    if IS_WANTED:
        capture.detach()
        get_flusher().flush(60)
        counts = get_journal().counts()
        told |= {"captured": counts.captured, "stored": counts.stored, "dropped": counts.dropped}
        told["logged"] = _logged.messages
    Path(os.environ["SUITE_OUTCOMES"]).write_text(json.dumps(told))
