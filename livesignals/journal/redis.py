"""A journal in Redis, shared by all processes of a project on many hosts.

Keys begin with ``livesignals:{NAME}:``, all in one slot of a cluster:

- ``meta``: format, project, epoch, the run of Redis that it belongs to, and the figures of the ring
- ``events``: a stream, an entry a batch, whose id is that of its last event; ``directory``: what is small of the same
- ``kept``, ``kept_directory``: entries with pinned events, once they are evicted; ``pins``: the ranges
- ``processes``: reports; ``batches``: the last batch of each process, so that one whose answer was lost is known again
- ``pending``: transactions that had not ended when events of theirs were stored, with the number of these events;
  ``states``: how they ended; ``outcomes``: a stream of that

Each operation is one call of one script, redis.lua, and with it one atomic step.
"""

import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livesignals.events import Event, Record
from livesignals.exceptions import JournalError, JournalUnavailable
from livesignals.journal import accounts, pins, redis_health
from livesignals.journal import redis_ledger as ledger
from livesignals.journal.base import (
    HYSTERESIS,
    TREE_LIMIT,
    Announcements,
    Appended,
    Bounds,
    Counts,
    Facets,
    Found,
    Histogram,
    Indexed,
    Journal,
    Outcome,
    Outcomes,
    Pin,
    Problem,
    ProcessReport,
    Tail,
)
from livesignals.journal.redis_address import Address
from livesignals.journal.redis_entries import batch_of
from livesignals.journal.redis_server import Server

if TYPE_CHECKING:
    from livesignals.filters import Filter
    from livesignals.journal.redis_searching import Searcher

#: The Channels group to which batches are announced.
GROUP = "livesignals"
#: A batch with more bytes is announced without them: who wants it reads the journal.
ANNOUNCED_BYTES = 2**20
CHUNK_EVENTS = 1_000  # the most that one call evicts
CHUNK_OUTCOMES = 1_000
#: How often a batch or pin is tried anew because others were faster.
ATTEMPTS = 20
_FAMILY = "family:"


class RedisJournal(Journal):
    """See `Journal`. Who reads keeps a search index in the *folder*, if there is one.

    Raises `ConfigurationError` for a URL that cannot be one of Redis.
    """

    def __init__(
        self, url: str, *, project: str, retain_events: int, retain_bytes: int, folder: Path | None = None
    ) -> None:
        super().__init__(project=project, retain_events=retain_events, retain_bytes=retain_bytes)
        self._folder = folder
        self._server = Server(Address(url), project)
        self._begin()

    def _begin(self) -> None:
        self._known: dict[str, ledger.Known] = {}  # by process
        self._unanswered: dict[str, tuple[Sequence[Record], str]] = {}  # by process, with the name of the batch
        self._opened: Searcher | None = None
        self._opening = threading.Lock()
        self._seen: list[bytes | None] | None = None  # by `changed`

    # Writing

    def append(self, records: Sequence[Record], report: ProcessReport) -> Appended:
        batch, counted, process = batch_of(records), accounts.sends_counted(records), report.process
        waiting = self._unanswered.pop(process, None)
        name = waiting[1] if waiting is not None and waiting[0] is records else secrets.token_hex(8)
        limits = (self.retain_events, self.retain_bytes, *self._trimmed())
        known = self._known.get(process)
        if known is not None:
            changes, stored = ledger.next_change(report, len(records), counted, known)
        else:
            figures, rows = self._figures()
            changes, stored = ledger.changes(report, len(records), counted, None, figures["epoch"].decode(), rows)
        for _ in range(ATTEMPTS):
            flat = [part for change in changes for part in change]
            try:
                answer = self._server.call(
                    "append", process, name, *batch, *limits, self._channel, ANNOUNCED_BYTES, *flat
                )
            except JournalUnavailable:
                self._unanswered[process] = records, name  # it may have been stored all the same
                raise
            if answer[0] != b"rows":
                epoch = answer[0].decode()
                self._known[process] = stored._replace(epoch=epoch)
                return Appended(epoch, answer[1], answer[2])
            changes, stored = ledger.changes(
                report, len(records), counted, known, answer[1].decode(), _texts(answer[2])
            )
        raise JournalUnavailable(f"the journal {self._server.address.shown} is too busy.", "It is tried again.")

    def _trimmed(self) -> tuple[int, int]:
        """Down to what is evicted when a limit is passed, so that not every batch has to."""
        return max(1, int(self.retain_events * HYSTERESIS)), int(self.retain_bytes * HYSTERESIS)

    def resolve(self, outcomes: Sequence[Outcome]) -> int:
        resolved = 0
        for begin in range(0, len(outcomes), CHUNK_OUTCOMES):
            chunk = outcomes[begin : begin + CHUNK_OUTCOMES]
            flat = [part for outcome in chunk for part in (outcome.tx_id, outcome.state)]
            resolved += self._server.call("resolve", *flat)[0]
        return resolved

    def prune(self, keep_events: int | None = None, keep_bytes: int | None = None) -> int:
        keep_events = self.retain_events if keep_events is None else keep_events
        keep_bytes = self.retain_bytes if keep_bytes is None else keep_bytes
        pruned = 0
        while evicted := self._server.call("evict", keep_events, keep_bytes, CHUNK_EVENTS)[0]:
            pruned += evicted
        return pruned

    def clear(self) -> None:
        self._server.call("clear")

    def pin(self, name: str, first: int, last: int) -> None:
        pin = Pin(name, first, last)
        for _ in range(ATTEMPTS):
            view = self._reader.view()
            pins.check(pin, view.pins, view.bounds, self.retain_events)
            flat = [end for ends in pins.ranges([*view.pins, pin]) for end in ends]
            pins.check_bytes(self._server.call("weigh", *flat)[0], self.retain_bytes)
            if self._server.call("pin", name, first, last, view.bounds.epoch, view.pinning)[0]:
                return
        raise JournalUnavailable(f"the journal {self._server.address.shown} is too busy.", "Try again.")

    def unpin(self, name: str) -> bool:
        return bool(self._server.call("unpin", name)[0])

    # Reading

    @property
    def _reader(self) -> "Searcher":
        with self._opening:
            if self._opened is None:
                from livesignals.journal.redis_searching import Searcher  # who only writes does without

                path = None if self._folder is None else self._folder / self._server.address.filename
                self._opened = Searcher(self._server, path)
            return self._opened

    def pins(self) -> list[Pin]:
        return self._reader.view().pins

    def bounds(self) -> Bounds:
        figures, _ = self._figures()
        return Bounds(figures["epoch"].decode(), int(figures["evicted"]) + 1, int(figures["last"]))

    def read(self, after: int, limit: int, until: int | None = None) -> list[Event]:
        return self._reader.read(after, limit, until)

    def tail(self, after: int, limit: int) -> Tail:
        return self._reader.tail(after, limit)

    def search(self, filter: "Filter", before: int | None, limit: int, max_scan: int | None = None) -> Found:
        return self._reader.search(filter, before, limit, max_scan)

    def search_forward(self, filter: "Filter", after: int, limit: int, max_scan: int | None = None) -> Found:
        return self._reader.search_forward(filter, after, limit, max_scan)

    def histogram(self, filter: "Filter", start_us: int, end_us: int, buckets: int) -> Histogram:
        return self._reader.histogram(filter, start_us, end_us, buckets)

    def facets(self, filter: "Filter", fields: Sequence[str], limit: int) -> Facets:
        return self._reader.facets(filter, fields, limit)

    def id_at(self, ts_us: int) -> int:
        return self._reader.id_at(ts_us)

    def index(self, most: int) -> bool:
        return self._reader.index_more(most)

    def indexed(self) -> Indexed | None:
        return self._reader.indexed()

    def get(self, event_id: int) -> Event | None:
        events = self.read(event_id - 1, 1, until=event_id)
        return events[0] if events else None

    def tree(self, root: str, limit: int = TREE_LIMIT) -> list[Event]:
        return self._reader.tree(root, limit)

    def cause(self, cause_id: str, limit: int = TREE_LIMIT) -> list[Event]:
        return self._reader.cause(cause_id, limit)

    def outcomes_after(self, number: int) -> Outcomes:
        outcomes = self._server.call("outcomes", number)[0]
        return [(each, transaction.decode(), state.decode()) for each, transaction, state in outcomes]

    def counts(self) -> Counts:
        figures, rows = self._figures()
        total = ledger.total(rows)
        last, evicted = int(figures["last"]), int(figures["evicted"])
        families = {name.removeprefix(_FAMILY): int(value) for name, value in figures.items() if _FAMILY in name}
        return Counts(
            epoch=figures["epoch"].decode(),
            retained=last - evicted,
            by_family={family: count for family, count in families.items() if count},
            captured=total.captured,
            stored=total.stored,
            dropped=total.dropped,
            buffered=total.buffered,
            counted=total.counted,
            evicted=evicted,
            bytes=int(figures["bytes"]),
        )

    def processes(self) -> list[ProcessReport]:
        return ledger.reports(self._figures()[1])

    def notice(self) -> str:
        return self._figures()[0]["notice"].decode()

    def _figures(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """What the journal counts, and the rows of processes."""
        figures, rows = self._server.call("figures")
        return _texts(figures), _texts(rows)

    def changed(self) -> bool:
        seen, self._seen = self._seen, self._server.meta("epoch", "writes")
        return seen != self._seen

    def announcements(self) -> Announcements:
        return Announcements(self._server.channels_hosts(), self._server.prefix, GROUP)

    @property
    def _channel(self) -> str:
        """As channels_redis calls the group's."""
        return f"{self._server.prefix}__group__{GROUP}"

    # What may go wrong, and the end

    def check(self) -> list[Problem]:
        try:
            return self._problems()
        except JournalError as error:
            return [Problem("error", str(error), error.hint)]

    def _problems(self) -> list[Problem]:
        problems, notice = redis_health.problems(self._server.info()), self.notice()
        if notice:
            problems.append(Problem("warning", notice, "Nothing is to be done; ids go on under another epoch."))
        index = self._reader.index
        if index is not None and index.problem:
            problems.append(
                Problem(
                    "warning",
                    f"searches look at each event, since the search index cannot be used: {index.problem}",
                    f"The user of this process must be able to write to {index.path}.",
                )
            )
        return problems

    def described(self) -> str:
        return redis_health.described(self._server.info())

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._server.close()

    def abandon(self) -> None:
        self._server.abandon()
        if self._opened is not None and self._opened.index is not None:
            self._opened.index.abandon()
        self._begin()


def _texts(flat: list[Any]) -> dict[str, bytes]:
    """A hash of Redis."""
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
