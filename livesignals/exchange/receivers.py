"""Who receives what in this project, with how often each was called lately: what ``receivers`` tells."""

from collections import defaultdict

from msgspec import Struct

from livesignals.capture.connected import Connection, connected_signals
from livesignals.filters import parse
from livesignals.journal import Journal

#: Calls and times are those of so many newest events.
RECENT_EVENTS = 10_000


class Recent(Struct):
    """Calls of one receiver among the newest events."""

    calls: int = 0
    raised: int = 0
    duration_us: float = 0.0  # of all of them together


class Receiver(Struct, frozen=True):
    """A connected receiver. ``recent`` is None when there was no journal to ask."""

    connection: Connection
    recent: Recent | None


class Listed(Struct, frozen=True):
    """A signal and its receivers, in the order in which they are called."""

    signal: str
    family: str
    receivers: list[Receiver]


def listed(journal: Journal | None) -> list[Listed]:
    """All signals of this process, Django's first. Raises JournalError."""
    recent = None if journal is None else _recent(journal)
    return [
        Listed(
            signal.name,
            signal.family,
            [
                Receiver(each, None if recent is None else recent.get((signal.name, each.name), Recent()))
                for each in signal.receivers
            ],
        )
        for signal in connected_signals()
    ]


def _recent(journal: Journal) -> dict[tuple[str, str], Recent]:
    """By signal and receiver."""
    found = journal.search(parse("receiver:*"), before=None, limit=RECENT_EVENTS, max_scan=RECENT_EVENTS)
    recent: defaultdict[tuple[str, str], Recent] = defaultdict(Recent)
    for event in found.events:
        for call in event.receivers:
            calls = recent[event.signal, call.name]
            calls.calls += 1
            calls.raised += call.status == "raised"
            calls.duration_us += call.duration_us
    return recent
