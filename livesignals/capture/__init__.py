"""Seeing every send. Knows neither journal nor transport: what has ended goes to the sink it was given."""

from livesignals.capture.attach import attach, connect, detach, is_attached
from livesignals.capture.counting import set_count_sink
from livesignals.capture.scope import muted
from livesignals.capture.sends import Send, record, set_sink
from livesignals.capture.signals import configure
from livesignals.capture.transactions import set_outcome_sink

__all__ = [
    "Send",
    "attach",
    "configure",
    "connect",
    "detach",
    "is_attached",
    "muted",
    "record",
    "set_count_sink",
    "set_outcome_sink",
    "set_sink",
]
