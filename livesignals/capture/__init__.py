"""Seeing every send. Knows neither journal nor transport: what has ended goes to the sink it was given."""

from livesignals.capture.attach import attach, connect, detach, is_attached
from livesignals.capture.describe import Describer
from livesignals.capture.scope import muted
from livesignals.capture.sends import Send, record, set_sink, set_too_deep_sink
from livesignals.capture.signals import configure
from livesignals.capture.transactions import set_outcome_sink

__all__ = [
    "Describer",
    "Send",
    "attach",
    "configure",
    "connect",
    "detach",
    "is_attached",
    "muted",
    "record",
    "set_outcome_sink",
    "set_sink",
    "set_too_deep_sink",
]
