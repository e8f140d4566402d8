"""Pinned ranges in an SQLite journal: when events of them are evicted, they move to a table of their own.

So ids of ``events`` have no holes, and who writes learns from a counter, which it reads anyway, that there are none.
Each function runs inside the transaction of whoever calls it.
"""

from typing import cast

import apsw

from livesignals.journal import pins
from livesignals.journal import sqlite_ledger as ledger
from livesignals.journal.base import Pin
from livesignals.journal.sqlite_rows import PIN_TABLES


def stored(connection: apsw.Connection) -> list[Pin]:
    """All ranges, by id."""
    if not ledger.counters(connection).get(ledger.PINS):
        return []
    rows = connection.execute("SELECT name, first, last FROM pins ORDER BY first").fetchall()
    return [Pin(*row) for row in cast("list[tuple[str, int, int]]", rows)]


def add(connection: apsw.Connection, pin: Pin, retain_events: int, retain_bytes: int) -> None:
    """Raises `PinError`."""
    before = stored(connection)
    pins.check(pin, before, ledger.bounds(connection), retain_events)
    connection.execute(PIN_TABLES)
    weight = 0
    for first, last in pins.ranges([*before, pin]):
        for table in ("events", "pinned"):
            size = connection.execute(f"SELECT sum(size) FROM {table} WHERE id BETWEEN ? AND ?", (first, last)).get
            weight += cast("int", size or 0)
    pins.check_bytes(weight, retain_bytes)
    connection.execute("INSERT INTO pins VALUES (?, ?, ?)", (pin.name, pin.first, pin.last))
    ledger.count(connection, {ledger.PINS: 1})


def remove(connection: apsw.Connection, name: str) -> bool:
    """Whether there was one of that name."""
    if not any(pin.name == name for pin in stored(connection)):
        return False
    connection.execute("DELETE FROM pins WHERE name = ?", (name,))
    connection.execute("DELETE FROM pinned WHERE NOT EXISTS (SELECT 1 FROM pins WHERE id BETWEEN first AND last)")
    ledger.count(connection, {ledger.PINS: -1})
    return True


def remove_all(connection: apsw.Connection) -> None:
    if stored(connection):
        connection.execute("DELETE FROM pins; DELETE FROM pinned")
        connection.execute("UPDATE counters SET value = 0 WHERE name = ?", (ledger.PINS,))
