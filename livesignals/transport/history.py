"""Questions about the history that a replay asks of a journal. On a worker thread."""

from collections.abc import Iterator

from livesignals.events import Event
from livesignals.filters import Filter
from livesignals.journal import Found, Journal
from livesignals.journal.pins import ranges
from livesignals.transport.player import Missing

#: A step by cause looks at so many matching events, and no further.
MOST_EVENTS = 10_000
CHUNK_EVENTS = 200


def read_on(journal: Journal, chosen: Filter, after: int, limit: int, most: int) -> tuple[str, Missing | None, Found]:
    """The journal's epoch, what was evicted right after *after*, and matching events behind that, oldest first.

    At most *limit* of them out of *most*, and none beyond the next hole: evicted events that are kept stand alone.
    """
    bounds = journal.bounds()
    begin = bounds.first
    for low, high in ranges(journal.pins(), bounds.first):
        if after < high:
            begin = max(low, after + 1)
            most = min(most, high + 1 - begin)
            break
    missing = Missing(after + 1, begin - 1) if begin > after + 1 else None
    return bounds.epoch, missing, journal.search_forward(chosen, max(after, begin - 1), limit, most)


def next_cause(journal: Journal, chosen: Filter, after: int) -> Event | None:
    """The next matching event that is the first one of its cause; None when there is none."""
    return next(_beginnings(journal, chosen, _forwards(journal, chosen, after)), None)


def previous_cause(journal: Journal, chosen: Filter, before: int) -> Event | None:
    """The one before *before*, likewise."""
    return next(_beginnings(journal, chosen, _backwards(journal, chosen, before)), None)


def _beginnings(journal: Journal, chosen: Filter, events: Iterator[Event]) -> Iterator[Event]:
    first_ids: dict[str, int | None] = {}
    for event in events:
        cause_id = event.cause.id if event.cause else ""
        if not cause_id:
            yield event  # stands for itself
            continue
        if cause_id not in first_ids:
            first_ids[cause_id] = next((each.id for each in journal.cause(cause_id) if chosen.matches(each)), None)
        if first_ids[cause_id] == event.id:
            yield event


def _forwards(journal: Journal, chosen: Filter, after: int) -> Iterator[Event]:
    for _ in range(MOST_EVENTS // CHUNK_EVENTS):
        found = journal.search_forward(chosen, after=after, limit=CHUNK_EVENTS)
        yield from found.events
        if found.exhausted:
            return
        after = found.scanned_to


def _backwards(journal: Journal, chosen: Filter, before: int) -> Iterator[Event]:
    for _ in range(MOST_EVENTS // CHUNK_EVENTS):
        found = journal.search(chosen, before=before, limit=CHUNK_EVENTS)
        yield from found.events
        if found.exhausted:
            return
        before = found.scanned_to
