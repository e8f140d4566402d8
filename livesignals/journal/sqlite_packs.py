"""Batches of an SQLite journal that nobody has searched yet, each in one row as it came.

Who sends pays for an insert a batch and not for one an event; the rows that SQL can search, with their indexes, are
made by whoever comes to search. What is evicted before never becomes rows. A batch is whole or not there: whoever
needs a part of it makes rows of all of it first.

Each function runs inside the transaction of whoever calls it, but for `unpack`, which makes its own.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import apsw
import msgspec

from livesignals.events import Record
from livesignals.exceptions import JournalBroken
from livesignals.journal.base import Outcome
from livesignals.journal.sqlite_connections import Connections
from livesignals.journal.sqlite_rows import INSERT, Stored, with_state

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(list[Record])
_SELECT = "SELECT first, last, size, families, records FROM packs"


class Pack(NamedTuple):
    """The row of a batch: all ids from ``first`` to ``last``."""

    first: int
    last: int
    size: int  # bytes of the bodies
    families: str  # JSON: how many events of each
    records: bytes

    @property
    def length(self) -> int:
        return self.last - self.first + 1

    def rows(self) -> list[Record]:
        try:
            rows = _decoder.decode(self.records)
        except msgspec.MsgspecError as error:
            raise JournalBroken(f"the events {self.first} to {self.last} cannot be read ({error})") from error
        if len(rows) != self.length:
            raise JournalBroken(f"a batch of {len(rows)} is where the events {self.first} to {self.last} should be")
        return rows

    def by_family(self) -> dict[str, int]:
        return msgspec.json.decode(self.families, type=dict[str, int])


def add(connection: apsw.Connection, first: int, records: Sequence[Record], families: Mapping[str, int]) -> None:
    """Store a batch, whose first event has the id *first*; *families*: how many events of each it has."""
    last = first + len(records) - 1
    connection.execute(
        "INSERT INTO packs (first, last, size, families, records) VALUES (?, ?, ?, ?, ?)",
        (
            first,
            last,
            sum(record.size for record in records),
            msgspec.json.encode(families).decode(),
            _encode(records),
        ),
    )
    pending = Counter(record.tx_id for record in records if record.tx_state == "pending")
    if pending:
        connection.executemany(
            "INSERT INTO packed_outcomes (tx_id, pack, events) VALUES (?, ?, ?)",
            [(tx_id, last, events) for tx_id, events in pending.items()],
        )


def oldest(connection: apsw.Connection) -> Pack | None:
    """The batch with the lowest ids."""
    row = connection.execute(f"{_SELECT} ORDER BY last LIMIT 1").fetchone()
    return Pack(*cast("tuple[int, int, int, str, bytes]", row)) if row else None


def bodies(connection: apsw.Connection, low: int, high: int, limit: int) -> list[Stored]:
    """At most *limit* events with ``low <= id <= high``, ascending."""
    found: list[Stored] = []
    for pack in _overlapping(connection, low, high, "ASC"):
        if len(found) >= limit:
            break
        begin, end = max(low, pack.first), min(high, pack.last, max(low, pack.first) + limit - len(found) - 1)
        states = _states(connection, pack)
        for event_id, record in enumerate(pack.rows()[begin - pack.first : end - pack.first + 1], begin):
            state = states.get(record.tx_id or "") if record.tx_state == "pending" else None
            found.append((event_id, record.body if state is None else with_state(record.body, state)))
    return found


def resolve(connection: apsw.Connection, outcome: Outcome, before: str | None = None) -> int:
    """Note how a transaction ended, of which *before* was known, for the rows to be made. Says how many events that
    concerns."""
    rows = connection.execute(
        "UPDATE packed_outcomes SET state = ? WHERE tx_id = ? AND state IS ? RETURNING events",
        (outcome.state, outcome.tx_id, before),
    ).fetchall()
    return sum(cast("int", events) for (events,) in rows)


def unpack(connections: Connections, low: int, high: int) -> None:
    """Make rows of all that lies between two ids, both included, newest first: one batch a transaction."""
    while True:
        with connections.reading() as connection:
            if not _is_packed(connection, low, high):
                return
        with connections.writing() as connection:
            for pack in _overlapping(connection, low, high, "DESC"):
                unpack_one(connection, pack)
                break


def unpack_one(connection: apsw.Connection, pack: Pack) -> None:
    """Make rows of a batch."""
    connection.executemany(INSERT, ((event_id, *record) for event_id, record in enumerate(pack.rows(), pack.first)))
    for tx_id, state in _states(connection, pack).items():
        set_state(connection, "events", tx_id, state, pack.first, pack.last)
    drop(connection, pack)


def drop(connection: apsw.Connection, pack: Pack) -> None:
    """Forget a batch."""
    connection.execute("DELETE FROM packs WHERE last = ?", (pack.last,))
    connection.execute("DELETE FROM packed_outcomes WHERE pack = ?", (pack.last,))


def drop_all(connection: apsw.Connection) -> None:
    connection.execute("DELETE FROM packs; DELETE FROM packed_outcomes")


def set_state(
    connection: apsw.Connection, table: str, tx_id: str, state: str, low: int = 1, high: int = sys.maxsize
) -> int:
    """Write into pending rows (from one id to another) how their transaction ended. Says how many these were."""
    connection.execute(
        f"UPDATE {table} SET tx_state = ?1, body = json_set(body, '$.transaction.state', ?1)"
        " WHERE tx_state = 'pending' AND tx_id = ?2 AND id BETWEEN ?3 AND ?4",
        (state, tx_id, low, high),
    )
    return connection.changes()


def length(connection: apsw.Connection) -> int:
    """How many events are packed. Raises `JournalBroken` when one of the batches cannot be read."""
    rows = connection.execute(f"{_SELECT} ORDER BY last")
    return sum(len(Pack(*row).rows()) for row in cast("Iterable[tuple[int, int, int, str, bytes]]", rows))


def _states(connection: apsw.Connection, pack: Pack) -> dict[str, str]:
    """How transactions ended that events of the batch call pending."""
    rows = connection.execute(
        "SELECT tx_id, state FROM packed_outcomes WHERE pack = ? AND state IS NOT NULL", (pack.last,)
    ).fetchall()
    return dict(cast("list[tuple[str, str]]", rows))


def _is_packed(connection: apsw.Connection, low: int, high: int) -> bool:
    return connection.execute("SELECT 1 FROM packs WHERE last >= ? AND first <= ?", (low, high)).fetchone() is not None


def _overlapping(connection: apsw.Connection, low: int, high: int, order: str) -> Iterator[Pack]:
    rows = connection.execute(f"{_SELECT} WHERE last >= ? AND first <= ? ORDER BY last {order}", (low, high))
    for row in rows:
        yield Pack(*cast("tuple[int, int, int, str, bytes]", row))
