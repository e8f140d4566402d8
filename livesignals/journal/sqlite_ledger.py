"""The figures in an SQLite journal, and the ring they bound.

Each function runs inside the transaction of whoever calls it, so that figures and events never disagree.
Ids have no holes and only the oldest go, hence: retained ids are ``evicted + 1`` to ``last``, and ``last``
is also how many events were ever stored.
"""

from collections import Counter
from collections.abc import Mapping
from typing import cast

import apsw
import msgspec

from livesignals.journal import accounts
from livesignals.journal import sqlite_packs as packs
from livesignals.journal.base import HYSTERESIS, Bounds, ProcessReport

LEAST = 0.95  # of what may be retained, what a full ring never falls below
PINS = "pins"  # in `counters`: how many ranges are pinned
FAMILY = "family:"  # in front of a family's name in `counters`: how many of it are retained

_TOTAL = ""  # the row of `processes` that holds the sums of those that have none of their own
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ProcessReport).decode


def meta(connection: apsw.Connection, name: str) -> str:
    return connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).get or ""


def counters(connection: apsw.Connection) -> dict[str, int]:
    return dict(cast("list[tuple[str, int]]", connection.execute("SELECT name, value FROM counters").fetchall()))


def bounds(connection: apsw.Connection) -> Bounds:
    figures = counters(connection)
    return Bounds(meta(connection, "epoch"), figures["evicted"] + 1, figures["last"])


def count(connection: apsw.Connection, changes: Mapping[str, int]) -> None:
    connection.executemany(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        changes.items(),
    )


def by_family(figures: Mapping[str, int]) -> dict[str, int]:
    """How many events of each family are retained, from `counters`."""
    return {name.removeprefix(FAMILY): value for name, value in figures.items() if name.startswith(FAMILY) and value}


def trim(connection: apsw.Connection, retain_events: int, retain_bytes: int, most: int) -> None:
    """A limit is passed: `evict` somewhat below it, so that not every batch has to."""
    evict(
        connection,
        max(1, int(retain_events * HYSTERESIS)),
        int(retain_bytes * HYSTERESIS),
        most,
        (max(1, int(retain_events * LEAST)), int(retain_bytes * LEAST)),
    )


def evict(
    connection: apsw.Connection, keep_events: int, keep_bytes: int, most: int, least: tuple[int, int] | None = None
) -> int:
    """Delete the oldest events until the limits are kept, about *most*. Says how many.

    *least*, if given, says how many events and bytes must stay at least, for what is easier to delete as a whole.
    """
    figures = counters(connection)
    retained, size = figures["last"] - figures["evicted"], figures["bytes"]
    least_events, least_bytes = least or (keep_events, keep_bytes)
    changes: Counter[str] = Counter()
    evicted = 0
    while (retained > keep_events or size > keep_bytes) and evicted < most:
        first = figures["evicted"] + evicted + 1
        pack = packs.oldest(connection)
        if pack is not None and pack.first == first:
            left_events, left_bytes = retained - pack.length, size - pack.size
            if left_events >= least_events or (size > keep_bytes and left_bytes >= least_bytes):
                packs.drop(connection, pack)
                changes.subtract({FAMILY + family: count for family, count in pack.by_family().items()})
                retained, size, evicted = left_events, left_bytes, evicted + pack.length
                continue
            packs.unpack_one(connection, pack)
            pack = packs.oldest(connection)
        rows = connection.execute(
            "SELECT family, size FROM events WHERE id < ? ORDER BY id LIMIT ?",
            (first + most if pack is None else pack.first, most - evicted),
        ).fetchall()
        for family, row_size in cast("list[tuple[str, int]]", rows):
            if retained <= keep_events and size <= keep_bytes:
                break
            retained, size, evicted = retained - 1, size - row_size, evicted + 1
            changes[FAMILY + family] -= 1
        _delete(connection, figures, figures["evicted"] + evicted)
        if not rows:
            break
    if evicted:
        count(connection, {**changes, "evicted": evicted, "bytes": size - figures["bytes"]})
    return evicted


def _delete(connection: apsw.Connection, figures: Mapping[str, int], upto: int) -> None:
    """The rows up to an id; those that are pinned move to their own table."""
    if figures.get(PINS):
        connection.execute(
            "INSERT INTO pinned SELECT * FROM events"
            " WHERE id <= ? AND EXISTS (SELECT 1 FROM pins WHERE id BETWEEN first AND last)",
            (upto,),
        )
    connection.execute("DELETE FROM events WHERE id <= ?", (upto,))


def reports(connection: apsw.Connection) -> list[ProcessReport]:
    """Of all processes with a row of their own, the one seen last first."""
    rows = connection.execute(
        "SELECT report FROM processes WHERE process != ? ORDER BY seen_ts DESC", (_TOTAL,)
    ).fetchall()
    return [_decode(cast("str", report)) for (report,) in rows]


def total(connection: apsw.Connection) -> ProcessReport:
    """The sums over all processes there ever were."""
    return accounts.total([_folded(connection), *reports(connection)])


def store_report(
    connection: apsw.Connection, report: ProcessReport, events: int, counted: int, known: ProcessReport | None
) -> ProcessReport:
    """Keep the report of a process that stores *events* more, which count *counted* sends. Returns it as it is kept.

    *known* is what this returned the last time it was called in this journal by this process.
    """
    row = connection.execute("SELECT report FROM processes WHERE process = ?", (report.process,)).get
    before = _decode(row) if row else None
    if before is None:
        if known is not None and known.process == report.process:
            # It was taken for gone and folded into the total: take it out again.
            before = known
            _write(connection, accounts.total([_folded(connection)], [accounts.ended(known)]))
        _fold(connection)
    report = accounts.stored(report, before, events, counted)
    _write(connection, report)
    return report


def _folded(connection: apsw.Connection) -> ProcessReport:
    row = connection.execute("SELECT report FROM processes WHERE process = ?", (_TOTAL,)).get
    return _decode(row) if row else accounts.total([])


def _fold(connection: apsw.Connection) -> None:
    """Make room for one more process: those seen last keep their rows, the others go into the total."""
    gone = [accounts.ended(report) for report in reports(connection)[accounts.KEPT_PROCESSES - 1 :]]
    if gone:
        _write(connection, accounts.total([_folded(connection), *gone]))
        connection.executemany("DELETE FROM processes WHERE process = ?", [(each.process,) for each in gone])


def _write(connection: apsw.Connection, report: ProcessReport) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO processes VALUES (?, ?, ?)",
        (report.process, report.seen_ts, _encode(report).decode()),
    )
