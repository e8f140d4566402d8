"""Reading the matching events of a journal in order, in pieces, whatever happens to the journal meanwhile."""

import re
import time
from collections.abc import Callable, Iterator

from livesignals.events import Event
from livesignals.exceptions import FilterError
from livesignals.filters import Filter, parse
from livesignals.filters.nodes import And, Node
from livesignals.journal import Journal

POLL_SECONDS = 0.05
READ_EVENTS = 500
#: A piece of a search that finds little ends after so many events, so that it can be seen to move, or be stopped.
SCAN_EVENTS = 50_000

_BOUND = re.compile(r"[0-9][0-9TtZz:.+-]{0,40}", re.ASCII)
_EXPECTED = "an id such as 4711, or a time such as 2026-01-02T03:04:05Z"


def within(chosen: Filter, first: str = "", last: str = "") -> Filter:
    """*chosen*, and of what it matches only what lies between two ids or two times, both included; "" is no bound.

    Raises FilterError for what is neither.
    """
    bounds = [_bound(sign, text) for sign, text in ((">=", first), ("<=", last)) if text]
    if not bounds:
        return chosen
    root = And((*bounds, chosen.root))
    return Filter(source=chosen.source, root=root, matches=root.predicate())


def _bound(sign: str, text: str) -> Node:
    if not _BOUND.fullmatch(text):
        raise FilterError(f"{text[:40]!r} is neither an id nor a time", 1, _EXPECTED)
    return parse(f'{"id" if text.isdecimal() else "ts"}{sign}"{text}"').root


def follow(
    journal: Journal,
    chosen: Filter,
    after: int,
    epoch: str,
    *,
    tell: Callable[[str], object],
    waits: bool,
    until: int | None = None,
    is_over: Callable[[], bool] = lambda: False,
    scanned: Callable[[int], object] = lambda event_id: None,
) -> Iterator[Event]:
    """Matching events after an id, in order; when it *waits*, for ever.

    What has been evicted meanwhile is told. *scanned* is called now and then with the id up to which was looked.
    """
    while True:
        bounds = journal.bounds()
        if bounds.epoch != epoch:
            tell("the journal began anew: ids start over under another epoch")
            epoch, after = bounds.epoch, bounds.first - 1
        elif bounds.first > after + 1:
            lost, first = bounds.first - 1 - after, after + 1
            what = f"{lost} events from id {first} on were" if lost > 1 else f"the event with id {first} was"
            tell(f"gap: {what} evicted unread")
            after = bounds.first - 1
        found = journal.search_forward(chosen, after=after, limit=READ_EVENTS, max_scan=SCAN_EVENTS)
        for event in found.events:
            if is_over() or (until is not None and event.id > until):
                return
            yield event
        after = found.scanned_to
        scanned(after)
        if until is not None and after >= until:
            return
        if not found.exhausted:
            continue
        if not waits:
            return
        while not journal.changed():
            if is_over():
                return
            time.sleep(POLL_SECONDS)


def retained(
    journal: Journal,
    chosen: Filter,
    *,
    tell: Callable[[str], object],
    scanned: Callable[[int], object] = lambda event_id: None,
) -> Iterator[Event]:
    """The matching events that are retained at this moment, oldest first."""
    bounds = journal.bounds()
    return follow(
        journal,
        chosen,
        bounds.first - 1,
        bounds.epoch,
        tell=tell,
        waits=False,
        until=bounds.last,
        scanned=scanned,
    )
