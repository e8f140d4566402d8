"""The reports of processes in a Redis journal: what a batch changes about them.

They are kept as in an SQLite journal, a row for each process that was heard of lately and one, under "", for all
others. Who appends says what the rows that it changes have been; when one has changed meanwhile, nothing is stored and
it is worked out anew from all rows. Only a process itself changes its row, so that this is rare.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from livesignals.journal import accounts
from livesignals.journal.base import ProcessReport

_TOTAL = ""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ProcessReport).decode

Rows = Mapping[str, bytes]
Change = tuple[str, bytes, bytes]  # the row of a process, what it is, what it shall be


class Known(NamedTuple):
    """What was stored last of a process, and in which epoch."""

    epoch: str
    row: bytes
    report: ProcessReport


def next_change(report: ProcessReport, events: int, counted: int, known: Known) -> tuple[list[Change], Known]:
    """What a batch of *events* changes when nobody else has changed the row of its process."""
    kept = accounts.stored(report, known.report, events, counted)
    row = _encode(kept)
    return [(report.process, known.row, row)], Known(known.epoch, row, kept)


def changes(
    report: ProcessReport, events: int, counted: int, known: Known | None, epoch: str, rows: Rows
) -> tuple[list[Change], Known]:
    """The same from all rows of an epoch."""
    mine = rows.get(report.process, b"")
    before = _decode(mine) if mine else None
    total = folded = _folded(rows)
    changed: list[Change] = []
    if before is None:
        if known is not None and known.epoch == epoch:
            # It was taken for gone and folded into the total: take it out again.
            before = known.report
            folded = accounts.total([folded], [accounts.ended(before)])
        gone = reports(rows)[accounts.KEPT_PROCESSES - 1 :]
        if gone:
            folded = accounts.total([folded, *map(accounts.ended, gone)])
            changed += [(each.process, rows[each.process], b"") for each in gone]
    if folded != total:
        changed.append((_TOTAL, rows[_TOTAL], _encode(folded)))
    kept = accounts.stored(report, before, events, counted)
    row = _encode(kept)
    return [*changed, (report.process, mine, row)], Known(epoch, row, kept)


def reports(rows: Rows) -> list[ProcessReport]:
    """Of all processes with a row of their own, the one seen last first."""
    decoded = [_decode(row) for process, row in rows.items() if process != _TOTAL]
    return sorted(decoded, key=lambda report: report.seen_ts, reverse=True)


def total(rows: Rows) -> ProcessReport:
    """The sums over all processes there ever were."""
    return accounts.total([_folded(rows), *reports(rows)])


def _folded(rows: Rows) -> ProcessReport:
    row = rows.get(_TOTAL, b"")
    return _decode(row) if row else accounts.total([])
