"""The shop's settings; of all signals only those of :mod:`tests.faults.writer` are recorded: what the writers count and
what the journal counts are then the same."""

from project.settings import *  # noqa: F403 - the shop's settings are the point

# More is retained than a busy machine writes until all have read it.
LIVESIGNALS = {"SIGNALS": ["-*", "*.numbered"], "RETAIN_EVENTS": 10**6, "RETAIN_BYTES": 2**30}
