"""The tables of an SQLite journal, and an event as a row of them.

``events.body`` is the event's JSON without ``v``, ``epoch`` and ``id``; the other columns are what filters
and lookups need without opening it. Ids come from a counter in the transaction that inserts, which is
AUTOINCREMENT's promise (never one twice) without its price of a second table update for each row.
"""

import secrets
from datetime import datetime
from functools import lru_cache
from typing import Any

import apsw

from livesignals.events import Event
from livesignals.journal.bodies import storable

APPLICATION_ID = 0x4C536967  # "LSig", at byte 68 of the file
FORMAT_VERSION = 1  # at byte 60

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE processes (
    process TEXT PRIMARY KEY, seen_ts INTEGER NOT NULL, report TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE outcomes (number INTEGER PRIMARY KEY, tx_id TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL, parent TEXT, root TEXT NOT NULL,
    ts INTEGER NOT NULL, -- µs since 1970, UTC
    signal TEXT NOT NULL, family TEXT NOT NULL, sender TEXT NOT NULL, method TEXT NOT NULL,
    duration_us REAL, n INTEGER NOT NULL, status TEXT NOT NULL,
    cause TEXT NOT NULL, cause_id TEXT NOT NULL,
    host TEXT NOT NULL, pid INTEGER NOT NULL, thread TEXT NOT NULL,
    db TEXT, tx_state TEXT, tx_id TEXT,
    flags TEXT NOT NULL,
    size INTEGER NOT NULL, -- of text and body as they were inserted; what RETAIN_BYTES bounds
    text TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_root ON events (root);
CREATE INDEX events_cause ON events (cause_id) WHERE cause_id != '';
CREATE INDEX events_pending ON events (tx_id) WHERE tx_state = 'pending';
"""
TABLE_NAMES = {"meta", "counters", "processes", "outcomes", "events"}

Row = tuple[Any, ...]
INSERT = f"INSERT INTO events VALUES ({', '.join('?' * 24)})"
SIZE = 21  # where a row has it

#: Bytes, because that is what is spliced and sent on; stored as text, because JSON functions want text.
BODY = "CAST(body AS BLOB)"


def create_tables(connection: apsw.Connection, project: str, notice: str) -> None:
    """All tables and what they start with. Call it inside a transaction."""
    connection.execute(_TABLES)
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [("epoch", new_epoch()), ("project", project), ("notice", notice)],
    )
    connection.executemany("INSERT INTO counters VALUES (?, 0)", [("last",), ("evicted",), ("bytes",), ("outcome",)])
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION}")


def new_epoch() -> str:
    return secrets.token_hex(8)


def row(event: Event) -> Row:
    """The columns of `INSERT`, with None for the id."""
    event, body, text, size = storable(event)
    cause = event.cause
    transaction = event.transaction
    return (
        None,
        event.uid,
        event.parent,
        event.root,
        microseconds(event.ts),
        event.signal,
        event.family,
        event.sender,
        event.method,
        event.duration_us,
        len(event.receivers),
        event.status,
        f"{cause.kind} {cause.name}" if cause else "",
        cause.id if cause else "",
        event.process.host,
        event.process.pid,
        event.thread,
        transaction.db if transaction else None,
        transaction.state if transaction else None,
        transaction.id if transaction else None,
        f" {' '.join(event.flags)} " if event.flags else "",
        size,
        text,
        body.decode(),
    )


def microseconds(ts: str) -> int:
    """Since 1970, from an event's ``ts``."""
    return _seconds(ts[:19]) * 1_000_000 + int(ts[20:26])


@lru_cache(maxsize=16)
def _seconds(ts: str) -> int:
    return int(datetime.fromisoformat(ts + "+00:00").timestamp())
