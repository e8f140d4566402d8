"""How transactions ended, in an SQLite journal. Each function runs inside the transaction of whoever calls it."""

import json
from collections.abc import Iterable, Sequence
from typing import cast

import apsw

from livesignals.journal import sqlite_ledger as ledger
from livesignals.journal import sqlite_packs as packs
from livesignals.journal.base import KEPT_OUTCOMES, Outcome, ProcessReport, process_of


def settle(connection: apsw.Connection, outcomes: Sequence[Outcome]) -> int:
    """Write outcomes into events, and number them for readers. Says how many events that concerned."""
    tables = _tables(connection)
    settled: list[tuple[Outcome, int]] = []
    late: list[Outcome] = []
    for outcome in outcomes:
        changed = packs.resolve(connection, outcome)
        for table in tables:
            changed += packs.set_state(connection, table, outcome.tx_id, outcome.state)
        if changed:
            settled.append((outcome, changed))
        else:
            late.append(outcome)
    settled += _settle_late(connection, tables, late)
    number = ledger.counters(connection)["outcome"]
    for outcome, _ in settled:
        number += 1
        connection.execute("INSERT INTO outcomes VALUES (?, ?, ?)", (number, outcome.tx_id, outcome.state))
    connection.execute("UPDATE counters SET value = ? WHERE name = 'outcome'", (number,))
    connection.execute("DELETE FROM outcomes WHERE number <= ?", (number - KEPT_OUTCOMES,))
    return sum(changed for _, changed in settled)


def orphan(connection: apsw.Connection, reports: Iterable[ProcessReport]) -> None:
    """Nobody will say any more how the open transactions of these processes ended."""
    sources = [f"{table} WHERE tx_state = 'pending'" for table in _tables(connection)]
    sources.append("packed_outcomes WHERE state IS NULL")
    for report in reports:
        found: set[str] = set()
        for source in sources:
            rows = connection.execute(
                f"SELECT tx_id FROM {source} AND tx_id >= ?1 || '-' AND tx_id < ?1 || '.'", (report.process,)
            )
            found.update(cast("str", tx_id) for (tx_id,) in rows)
        settle(connection, [Outcome(tx_id, "unknown") for tx_id in sorted(found)])


def _tables(connection: apsw.Connection) -> Sequence[str]:
    return ("events", "pinned") if ledger.counters(connection).get(ledger.PINS) else ("events",)


def _settle_late(
    connection: apsw.Connection, tables: Sequence[str], outcomes: Sequence[Outcome]
) -> list[tuple[Outcome, int]]:
    """Of a process that was taken for gone and was not: its events say "unknown". No index leads to these."""
    was_gone = {
        process
        for process in {process_of(outcome.tx_id) for outcome in outcomes}
        if ledger.was_taken_for_gone(connection, process)
    }
    known = {each.tx_id: each for each in outcomes if process_of(each.tx_id) in was_gone and each.state != "unknown"}
    if not known:
        return []
    changed = {tx_id: packs.resolve(connection, outcome, "unknown") for tx_id, outcome in known.items()}
    for table in tables:
        rows = connection.execute(
            f"SELECT id, tx_id FROM {table} WHERE tx_state = 'unknown' AND tx_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(known)),),
        ).fetchall()
        for event_id, tx_id in cast("list[tuple[int, str]]", rows):
            connection.execute(
                f"UPDATE {table} SET tx_state = ?1, body = json_set(body, '$.transaction.state', ?1) WHERE id = ?2",
                (known[tx_id].state, event_id),
            )
            changed[tx_id] += 1
    return [(known[tx_id], count) for tx_id, count in changed.items() if count]
