"""A journal in an SQLite file of our own, shared by all processes of a project on one host.

Never the project's database, never the ORM. Each method is a transaction, or several when it reads much,
since a reader that stays makes the write-ahead log grow.
"""

import shutil
import threading
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, cast

from livesignals.events import Event, Record, splice
from livesignals.exceptions import JournalError
from livesignals.journal import accounts, sqlite_outcomes, sqlite_pins
from livesignals.journal import sqlite_ledger as ledger
from livesignals.journal import sqlite_packs as packs
from livesignals.journal.base import (
    TAIL_LIMIT,
    TREE_LIMIT,
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
    Retention,
    Tail,
    check_retention,
)
from livesignals.journal.sqlite_connections import Connections, Superseded
from livesignals.journal.sqlite_file import ELSEWHERE
from livesignals.journal.sqlite_opening import JournalFile
from livesignals.journal.sqlite_rows import BODY, Stored, decoded, new_epoch

if TYPE_CHECKING:
    from livesignals.filters import Filter
    from livesignals.journal.sqlite_searching import Searcher

CHUNK_ROWS = 1_000  # the most that one transaction reads, or prunes
LOW_SPACE = 64 * 2**20
#: With less than this not even a batch fits.
FULL = 131_072


class SqliteJournal(Journal):
    """See `Journal`. The file is opened at the first use; made too, if it *makes* files."""

    def __init__(self, path: Path, *, project: str, retain_events: int, retain_bytes: int, makes: bool = True) -> None:
        super().__init__(project=project, retain_events=retain_events, retain_bytes=retain_bytes)
        self._file = JournalFile(path, project, makes=makes)
        self._opening = threading.Lock()
        self._opened: Searcher | None = None
        self._known: tuple[str, ProcessReport] | None = None  # what was stored last, and in which epoch
        self._seen: tuple[Connections, int] | None = None  # by `changed`

    # Writing

    def append(self, records: Sequence[Record], report: ProcessReport) -> Appended:
        families = Counter(record.family for record in records)
        size = sum(record.size for record in records)
        counted = accounts.sends_counted(records)

        def write(connections: Connections) -> Appended:
            with connections.writing() as connection:
                epoch = ledger.meta(connection, "epoch")
                figures = ledger.counters(connection)
                last = figures["last"]
                known = self._known[1] if self._known and self._known[0] == epoch else None
                kept = ledger.store_report(connection, report, len(records), counted, known)
                if records:
                    packs.add(connection, last + 1, records, families)
                    counted_in = {ledger.FAMILY + family: count for family, count in families.items()}
                    ledger.count(connection, {**counted_in, "last": len(records), "bytes": size})
                    retained = last + len(records) - figures["evicted"]
                    keep = self._retention(*ledger.retained(figures))
                    if retained > keep.events or figures["bytes"] + size > keep.bytes:
                        ledger.trim(connection, keep.events, keep.bytes, most=2 * len(records))
            if not connections.in_place:
                raise Superseded  # it went into a file that nobody will open again
            self._known = epoch, kept
            return Appended(epoch, last + 1, last + len(records))

        return self._file.run(write)

    def resolve(self, outcomes: Sequence[Outcome]) -> int:
        def write(connections: Connections) -> int:
            with connections.writing() as connection:
                return sqlite_outcomes.settle(connection, outcomes)

        return self._file.run(write) if outcomes else 0

    def take_for_gone(self, reports: Sequence[ProcessReport]) -> int:
        def write(connections: Connections) -> int:
            with connections.writing() as connection:
                ended = ledger.end(connection, reports)
                sqlite_outcomes.orphan(connection, ended)
                return len(ended)

        return self._file.run(write) if reports else 0

    def prune(self, keep_events: int | None = None, keep_bytes: int | None = None) -> int:
        def write(connections: Connections) -> int:
            with connections.writing() as connection:
                keep = self._retention(*ledger.retained(ledger.counters(connection)))
                events = keep.events if keep_events is None else keep_events
                return ledger.evict(
                    connection, events, keep.bytes if keep_bytes is None else keep_bytes, most=CHUNK_ROWS
                )

        pruned = 0
        while evicted := self._file.run(write):
            pruned += evicted
        return pruned

    def retention(self) -> Retention:
        def read(connections: Connections) -> Retention:
            with connections.reading() as connection:
                return self._retention(*ledger.retained(ledger.counters(connection)))

        return self._file.run(read)

    def retain(self, events: int | None, bytes: int | None) -> None:
        check_retention(events, bytes)

        def write(connections: Connections) -> None:
            with connections.writing() as connection:
                ledger.retain(connection, events, bytes)

        self._file.run(write)

    def clear(self) -> None:
        def write(connections: Connections) -> None:
            with connections.writing() as connection:
                sqlite_pins.remove_all(connection)
                packs.drop_all(connection)
                connection.execute("DELETE FROM events; DELETE FROM outcomes")
                connection.execute("DELETE FROM counters WHERE name LIKE ? || '%'", (ledger.FAMILY,))
                connection.execute("UPDATE counters SET value = 0 WHERE name = 'bytes'")
                last = ledger.counters(connection)["last"]
                connection.execute("UPDATE counters SET value = ? WHERE name = 'evicted'", (last,))
                connection.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (new_epoch(),))
                connection.execute("UPDATE meta SET value = '' WHERE name = 'notice'")

        self._file.run(write)

    def pin(self, name: str, first: int, last: int) -> None:
        def write(connections: Connections) -> None:
            packs.unpack(connections, first, last)  # so that what is evicted in one piece has no pinned event
            with connections.writing() as connection:
                keep = self._retention(*ledger.retained(ledger.counters(connection)))
                sqlite_pins.add(connection, Pin(name, first, last), keep.events, keep.bytes)

        self._file.run(write)

    def unpin(self, name: str) -> bool:
        def write(connections: Connections) -> bool:
            with connections.writing() as connection:
                return sqlite_pins.remove(connection, name)

        return self._file.run(write)

    # Reading

    def pins(self) -> list[Pin]:
        def read(connections: Connections) -> list[Pin]:
            with connections.reading() as connection:
                return sqlite_pins.stored(connection)

        return self._file.run(read)

    @property
    def _searcher(self) -> "Searcher":
        with self._opening:
            if self._opened is None:
                from livesignals.journal.sqlite_searching import Searcher  # who only writes does without filters

                self._opened = Searcher(self._file)
            return self._opened

    def bounds(self) -> Bounds:
        def read(connections: Connections) -> Bounds:
            with connections.reading() as connection:
                return ledger.bounds(connection)

        return self._file.run(read)

    def read(self, after: int, limit: int, until: int | None = None) -> list[Event]:
        events = self._searcher.read_pinned(after, limit, until)
        while True:
            rows = min(limit - len(events), CHUNK_ROWS)
            chunk = self._decoded_chunk(after, rows, until)
            events += chunk
            if len(chunk) < rows or len(events) >= limit:
                return events
            after = chunk[-1].id

    def tail(self, after: int, limit: int) -> Tail:
        epoch, after, stored = self._file.run(lambda connections: _chunk(connections, after, min(limit, TAIL_LIMIT)))
        return Tail(epoch, after, after + len(stored), [splice(epoch, *each) for each in stored])

    def _decoded_chunk(self, after: int, limit: int, until: int | None) -> list[Event]:
        def read(connections: Connections) -> list[Event]:
            epoch, _, stored = _chunk(connections, after, limit, until)
            return decoded(epoch, stored)

        return self._file.run(read)

    def search(self, filter: "Filter", before: int | None, limit: int, max_scan: int | None = None) -> Found:
        return self._searcher.search(filter, before, limit, max_scan)

    def search_forward(self, filter: "Filter", after: int, limit: int, max_scan: int | None = None) -> Found:
        return self._searcher.search_forward(filter, after, limit, max_scan)

    def histogram(self, filter: "Filter", start_us: int, end_us: int, buckets: int) -> Histogram:
        return self._searcher.histogram(filter, start_us, end_us, buckets)

    def facets(self, filter: "Filter", fields: Sequence[str], limit: int) -> Facets:
        return self._searcher.facets(filter, fields, limit)

    def id_at(self, ts_us: int) -> int:
        return self._searcher.id_at(ts_us)

    def index(self, most: int) -> bool:
        return self._searcher.index.step(self.bounds(), self._rows, most)

    def _rows(self, after: int, limit: int, until: int) -> list[tuple[Event, int]]:
        """Events with the bytes of their bodies; what was packed is not, afterwards."""

        def read(connections: Connections) -> list[tuple[Event, int]]:
            _, _, stored = _chunk(connections, after, limit, until)
            return [(event, len(body)) for event, (_, body) in zip(decoded("", stored), stored, strict=True)]

        rows = self._file.run(read)
        if rows:
            self._searcher.unpack(rows[0][0].id, rows[-1][0].id)
        return rows

    def indexed(self) -> Indexed:
        return self._searcher.index.state(self.bounds())

    def get(self, event_id: int) -> Event | None:
        return next(iter(self.read(event_id - 1, 1, until=event_id)), None)

    def tree(self, root: str, limit: int = TREE_LIMIT) -> list[Event]:
        return self._searcher.kept("root = ?", limit, root)

    def cause(self, cause_id: str, limit: int = TREE_LIMIT) -> list[Event]:
        # The index leaves out the empty ones, and is used only where the query does so too.
        return self._searcher.kept("cause_id = ? AND cause_id != ''", limit, cause_id)

    def outcomes_after(self, number: int) -> Outcomes:
        def read(connections: Connections) -> Outcomes:
            with connections.reading() as connection:
                rows = connection.execute(
                    "SELECT number, tx_id, state FROM outcomes WHERE number > ? ORDER BY number", (number,)
                ).fetchall()
                return cast("Outcomes", rows)

        return self._file.run(read)

    def counts(self) -> Counts:
        def read(connections: Connections) -> Counts:
            with connections.reading() as connection:
                figures = ledger.counters(connection)
                total = ledger.total(connection)
                return Counts(
                    epoch=ledger.meta(connection, "epoch"),
                    retained=figures["last"] - figures["evicted"],
                    by_family=ledger.by_family(figures),
                    captured=total.captured,
                    stored=total.stored,
                    dropped=total.dropped,
                    buffered=total.buffered,
                    counted=total.counted,
                    evicted=figures["evicted"],
                    bytes=figures["bytes"],
                )

        return self._file.run(read)

    def processes(self) -> list[ProcessReport]:
        def read(connections: Connections) -> list[ProcessReport]:
            with connections.reading() as connection:
                return ledger.reports(connection)

        return self._file.run(read)

    def notice(self) -> str:
        def read(connections: Connections) -> str:
            with connections.reading() as connection:
                return ledger.meta(connection, "notice")

        return self._file.run(read)

    def changed(self) -> bool:
        seen = self._seen
        self._seen = self._file.run(lambda connections: (connections, connections.data_version()))
        return seen != self._seen

    # What may go wrong, and the end

    def check(self) -> list[Problem]:
        try:
            notice = self.notice()
            faults = self._file.run(_faults)
        except JournalError as error:
            return [Problem("error", str(error), error.hint)]
        problems = [Problem("error", fault, "Delete the file: the next event begins a new one.") for fault in faults]
        if notice:
            problems.append(Problem("warning", notice, "The file that was set aside may be deleted."))
        index = self._searcher.index
        if index.problem:
            problems.append(
                Problem(
                    "warning",
                    f"searches look at each event, since the search index cannot be used: {index.problem}",
                    f"The user of this process must be able to write to {index.path}.",
                )
            )
        free = shutil.disk_usage(self._file.path.parent).free
        if free < LOW_SPACE:
            problems.append(
                Problem(
                    "error" if free < FULL else "warning",
                    f"only {free:,} bytes are free for the journal {self._file.path}",
                    f"Free some space. {ELSEWHERE}",
                )
            )
        elif free < (room := self.retention().bytes - self.counts().bytes):
            problems.append(
                Problem(
                    "warning",
                    f"the journal {self._file.path} may grow by {room:,} bytes, and {free:,} are free",
                    "Free some space, or lower RETAIN_BYTES.",
                )
            )
        return problems

    def close(self) -> None:
        if self._opened is not None:
            self._opened.index.close()
        self._file.close()

    def abandon(self) -> None:
        self._known = None
        self._opening = threading.Lock()
        if self._opened is not None:
            self._opened.index.abandon()
        self._file.abandon()


def _chunk(connections: Connections, after: int, limit: int, until: int | None = None) -> tuple[str, int, list[Stored]]:
    """The epoch, the id before the first row, and rows."""
    with connections.reading() as connection:
        bounds = ledger.bounds(connection)
        begin = max(after, bounds.first - 1)
        end, most = bounds.last if until is None else until, max(limit, 0)
        rows = connection.execute(
            f"SELECT id, {BODY} FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", (begin, end, most)
        ).fetchall()
        stored = cast("list[Stored]", rows)
        if packed := packs.bodies(connection, begin + 1, end, most):
            stored = sorted(stored + packed, key=itemgetter(0))[:most]
        return bounds.epoch, begin, stored


def _faults(connections: Connections) -> list[str]:
    with connections.reading() as connection:
        checked = connection.execute("PRAGMA quick_check").fetchall()
        faults = [str(fault) for (fault,) in checked if fault != "ok"]
        figures = ledger.counters(connection)
        retained = figures["last"] - figures["evicted"]
        rows = cast("int", connection.execute("SELECT count(*) FROM events").get) + packs.length(connection)
        if rows != retained:
            faults.append(f"the journal holds {rows} events and counts {retained}")
        return faults
