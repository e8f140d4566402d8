"""Capture as a project meets it, with a sink that keeps what it is given."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from livesignals import capture
from livesignals.capture import sends
from livesignals.capture.describe import Describer
from livesignals.events import Event
from livesignals.snapshot.masking import Masking


class Captured:
    """The sends that have ended, and the events that they become."""

    def __init__(self) -> None:
        self.sends: list[capture.Send] = []
        self.describer = Describer(Masking(), names_only=False)

    @property
    def events(self) -> list[Event]:
        """In the order in which the sends began."""
        return [self.describer.event(send) for send in sorted(self.sends, key=lambda send: send.number)]

    def of(self, signal: str) -> list[Event]:
        """The events of signals with this last name."""
        return [event for event in self.events if event.signal.rpartition(".")[2] == signal]


@contextmanager
def capturing() -> Iterator[Captured]:
    """Capture on for a block."""
    was_attached, outer = capture.is_attached(), sends.get_sink()
    captured = Captured()
    capture.set_sink(captured.sends.append)
    capture.attach()
    try:
        yield captured
    finally:
        capture.set_sink(outer)
        if not was_attached:
            capture.detach()


@pytest.fixture
def captured() -> Iterator[Captured]:
    """Capture on for one test."""
    with capturing() as captured:
        yield captured
