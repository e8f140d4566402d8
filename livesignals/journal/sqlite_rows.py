"""The tables of an SQLite journal.

``events.body`` is the event's JSON without ``v``, ``epoch`` and ``id``; the other columns are what filters
and lookups need without opening it. Those that are asked for rarely are read from it when they are. Ids come from a
counter in the transaction that inserts, which is AUTOINCREMENT's promise (never one twice) without its price of a
second table update for each row.
"""

import secrets
from collections.abc import Iterable

import apsw
from msgspec import MsgspecError, structs

from livesignals.events import Event, Record, body_of, decode_stored
from livesignals.exceptions import JournalBroken

APPLICATION_ID = 0x4C536967  # "LSig", at byte 68 of the file
FORMAT_VERSION = 3  # at byte 60

_EVENT = """
    id INTEGER PRIMARY KEY,
    root TEXT NOT NULL,
    ts INTEGER NOT NULL, -- µs since 1970, UTC
    signal TEXT NOT NULL, family TEXT NOT NULL, sender TEXT NOT NULL,
    duration_us REAL, n INTEGER NOT NULL, status TEXT NOT NULL,
    cause TEXT NOT NULL, cause_id TEXT NOT NULL,
    tx_state TEXT, tx_id TEXT,
    flags TEXT NOT NULL,
    size INTEGER NOT NULL, -- of the body as it was inserted; what RETAIN_BYTES bounds
    body TEXT NOT NULL
"""
_SEARCHABLE = """SELECT *,
    body ->> '$.uid' AS uid, body ->> '$.parent' AS parent, body ->> '$.method' AS method,
    body ->> '$.process.host' AS host, body ->> '$.process.pid' AS pid,
    body ->> '$.thread' AS thread, body ->> '$.transaction.db' AS db"""

_TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE processes (
    process TEXT PRIMARY KEY, seen_ts INTEGER NOT NULL, report TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE outcomes (number INTEGER PRIMARY KEY, tx_id TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE events ({_EVENT});
-- See sqlite_packs.
CREATE TABLE packs (
    last INTEGER PRIMARY KEY, first INTEGER NOT NULL, size INTEGER NOT NULL,
    families TEXT NOT NULL, records BLOB NOT NULL
);
CREATE TABLE packed_outcomes (
    tx_id TEXT NOT NULL, pack INTEGER NOT NULL, events INTEGER NOT NULL, state TEXT, PRIMARY KEY (tx_id, pack)
) WITHOUT ROWID;
CREATE INDEX packed_outcomes_pack ON packed_outcomes (pack);
-- What filters ask for. (Generated columns would be computed for each row that is inserted, virtual ones too.)
CREATE VIEW searchable AS {_SEARCHABLE} FROM events;
CREATE INDEX events_root ON events (root);
CREATE INDEX events_cause ON events (cause_id) WHERE cause_id != '';
CREATE INDEX events_pending ON events (tx_id) WHERE tx_state = 'pending';
"""
#: Made when something is pinned; few journals have them.
PIN_TABLES = f"""
CREATE TABLE IF NOT EXISTS pins (name TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pinned ({_EVENT}); -- events of pinned ranges, once they are evicted
CREATE VIEW IF NOT EXISTS searchable_pinned AS {_SEARCHABLE} FROM pinned;
"""
TABLE_NAMES = {"meta", "counters", "processes", "outcomes", "events", "packs", "packed_outcomes"}

_COLUMNS = ("root", "ts", *Record._fields[2:])
_VALUES = f"{', '.join('?' * (len(_COLUMNS) - 1))}, CAST(? AS TEXT)"
#: A row is an id and a :class:`Record`.
INSERT = f"INSERT INTO events (id, {', '.join(_COLUMNS)}) VALUES (?, {_VALUES})"

#: Bytes, because that is what is spliced and sent on; stored as text, because JSON functions want text.
BODY = "CAST(body AS BLOB)"


Stored = tuple[int, bytes]  # id and body


def decoded(epoch: str, stored: Iterable[Stored]) -> list[Event]:
    """The events of rows. Raises `JournalBroken` for what is none: SQLite itself does not look at what it holds."""
    try:
        return [decode_stored(epoch, event_id, body) for event_id, body in stored]
    except MsgspecError as error:
        raise JournalBroken(f"an event cannot be read ({error})") from error


def create_tables(connection: apsw.Connection, project: str, notice: str) -> None:
    """All tables and what they start with. Call it inside a transaction."""
    connection.execute(_TABLES)
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [("epoch", new_epoch()), ("project", project), ("notice", notice)],
    )
    connection.executemany("INSERT INTO counters VALUES (?, 0)", [("last",), ("evicted",), ("bytes",), ("outcome",)])
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION}")


def with_state(body: bytes, state: str) -> bytes:
    """An event's body with how its transaction ended, as ``json_set`` would write it into a row."""
    event = decode_stored("", 0, body)
    assert event.transaction is not None
    ended = structs.replace(event.transaction, state=state)
    return body_of(structs.replace(event, transaction=ended, epoch="", id=0))


def new_epoch() -> str:
    return secrets.token_hex(8)
