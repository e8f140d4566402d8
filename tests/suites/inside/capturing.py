"""Capture as an installed livesignals has it, in a process of a suite that does not install it.

The suites choose their own ``INSTALLED_APPS``, so what ``livesignals.apps`` wires is wired here. What livesignals logs
goes to the file that ``SUITE_LOG`` names: nothing may come.
"""

import logging
import os

from livesignals import capture
from livesignals.capture import causes, scope
from livesignals.transport.process import get_flusher

#: Where the journal is, which the flusher asks the environment for; without it nothing is captured.
IS_WANTED = "LIVESIGNALS_JOURNAL" in os.environ


def attach() -> None:
    """Record every send from now on, those of single rows too, all of Django woven that ever is."""
    if not IS_WANTED:
        return
    logging.getLogger("livesignals").addHandler(logging.FileHandler(os.environ["SUITE_LOG"], delay=True))
    scope.PROCESS.kind = "test"
    capture.configure(["*", "pre_init", "post_init"])
    capture.set_sink(get_flusher().put)
    capture.set_outcome_sink(get_flusher().put_outcome)
    capture.attach()


def start() -> None:
    """Describe and store what is captured. Needs the suite's settings."""
    if IS_WANTED:
        causes.attach()  # of commands, whose module is loaded by now
        get_flusher().start()
