"""Reading a Redis journal: the directory says which entries to fetch.

An entry may be evicted between the two; its events are then passed over, as if they had gone a moment earlier.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import NamedTuple, cast

from msgspec.structs import replace

from livesignals.events import Event, body_of, decode_stored, splice
from livesignals.events.model import TransactionState
from livesignals.exceptions import JournalUnavailable
from livesignals.journal.base import TAIL_LIMIT, Tail
from livesignals.journal.redis_directory import Directory, View
from livesignals.journal.redis_server import Server

#: Events that are fetched at once: few at first, since most searches find a page soon.
FETCHED_FIRST, FETCHED_EVENTS = 100, 2_000
_PENDING = b'"state":"pending"'


class Reader:
    """Reads the events of one journal by their ids."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.directory = Directory(server)

    def view(self) -> View:
        return self.directory.view()

    def read(self, after: int, limit: int, until: int | None) -> list[Event]:
        view = self.view()
        last = view.bounds.last if until is None else until
        return list(self.events(view, islice(ids_of(view, after + 1, last), max(limit, 0))))

    def tail(self, after: int, limit: int) -> Tail:
        view = self.view()
        bounds = view.bounds
        after = max(after, bounds.first - 1)
        ids = range(after + 1, min(after + max(min(limit, TAIL_LIMIT), 0), bounds.last) + 1)
        lines: list[bytes] = []
        for event_id, body in self.bodies(view, ids):
            if event_id != after + len(lines) + 1:
                # Evicted meanwhile; what is left begins here.
                after, lines = event_id - 1, []
            lines.append(splice(bounds.epoch, event_id, body))
        return Tail(bounds.epoch, after, after + len(lines), lines)

    def events(self, view: View, ids: Iterable[int]) -> Iterator[Event]:
        """The events with these ids, in their order, which goes one way."""
        epoch = view.bounds.epoch
        for event_id, body, states in self._stored(view, ids):
            event = decode_stored(epoch, event_id, body)
            yield _resolved(event, states) if states else event

    def bodies(self, view: View, ids: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Ids and bodies likewise."""
        for event_id, body, states in self._stored(view, ids):
            yield event_id, _resolved_body(body, states)

    def _stored(self, view: View, ids: Iterable[int]) -> Iterator[tuple[int, bytes, dict[str, str]]]:
        """Ids and bodies as they were stored, with how transactions ended that were pending then."""
        columns = view.columns
        chunk: list[_Wanted] = []
        most, held = FETCHED_FIRST, 0
        for place, group in groupby(ids, view.entry_of):
            wanted = _Wanted(columns.firsts[place], columns.lasts[place], list(group))
            chunk.append(wanted)
            held += wanted.cost
            if held >= most:
                yield from self._fetched(view, chunk)
                chunk, most, held = [], min(4 * most, FETCHED_EVENTS), 0
        if chunk:
            yield from self._fetched(view, chunk)

    def _fetched(self, view: View, chunk: "list[_Wanted]") -> Iterator[tuple[int, bytes, dict[str, str]]]:
        asked = [part for wanted in chunk for part in (wanted.last, wanted.places)]
        epoch, payloads, flat = self._server.call("fetch", *asked)
        if epoch.decode() != view.bounds.epoch:
            raise JournalUnavailable("the journal began a new epoch while it was read", "Try again.")
        stored: dict[int, bytes] = dict(payloads)
        said = [text.decode() for text in flat]
        states = dict(zip(said[::2], said[1::2], strict=True))
        for wanted in chunk:
            if wanted.last in stored:
                bodies = dict(zip(wanted.fetched, stored[wanted.last].split(b"\n"), strict=True))
                for event_id in wanted.ids:
                    yield event_id, bodies[event_id], states


class _Wanted(NamedTuple):
    """Events of one entry, in the order in which they are wanted."""

    first: int
    last: int
    ids: list[int]

    @property
    def is_sparse(self) -> bool:
        """Whether Redis had better pick them out than send all."""
        return len(self.ids) < (self.last - self.first + 1) // 4

    @property
    def fetched(self) -> Sequence[int]:
        return sorted(self.ids) if self.is_sparse else range(self.first, self.last + 1)

    @property
    def places(self) -> str:
        """As the script has them."""
        return " ".join(str(event_id - self.first + 1) for event_id in self.fetched) if self.is_sparse else ""

    @property
    def cost(self) -> int:
        """In events that are sent."""
        count = self.last - self.first + 1
        return max(len(self.ids), count // 8) if self.is_sparse else count


def ids_of(view: View, low: int, high: int, *, downwards: bool = False) -> Iterator[int]:
    """Ids that may be read, in order."""
    spans = view.spans(low, high)
    for begin, end in reversed(spans) if downwards else spans:
        places = range(begin, end)
        yield from map(view.columns.ids.__getitem__, reversed(places) if downwards else places)


def _resolved_body(body: bytes, states: dict[str, str]) -> bytes:
    if not states or _PENDING not in body:
        return body
    return body_of(replace(_resolved(decode_stored("", 0, body), states), epoch="", id=0))


def _resolved(event: Event, states: dict[str, str]) -> Event:
    """The event with how its transaction ended, if that is known by now."""
    transaction = event.transaction
    if transaction is None or transaction.state != "pending" or transaction.id not in states:
        return event
    state = cast("TransactionState", states[transaction.id])
    return replace(event, transaction=replace(transaction, state=state))
