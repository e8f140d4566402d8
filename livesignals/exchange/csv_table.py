"""CSV, for spreadsheets: UTF-8, commas, lines that end in CR LF (RFC 4180), the columns' names in the first.

The columns are stable: new ones come last. What is nested in an event has columns of its own where people sort by it,
and is JSON in one cell where they do not. A text that a spreadsheet would take for a formula, because it begins with
one of ``= + - @``, a tab or the end of a line, has an apostrophe put before it. Control characters, but for tabs and
ends of lines, are written as JSON has them, ``\\u0000``, since spreadsheets refuse a file with them or end the cell
there. No cell but a text is changed.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from typing import Any

import msgspec
from msgspec import UNSET

from livesignals.events import Event

#: The first characters of formulas, their full-width forms too; see OWASP's "CSV Injection".
FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_ESCAPED = {code: f"\\u{code:04x}" for code in range(0x20) if chr(code) not in "\t\r\n"}

_encode = msgspec.json.Encoder().encode


def _json(value: Any) -> str | None:
    return None if value is None else _encode(value).decode()


def _part(name: str, key: str) -> Callable[[Event], Any]:
    """A key of a part that an event may be without."""

    def get(event: Event) -> Any:
        part = getattr(event, name)
        return None if part is None or part is UNSET else getattr(part, key)

    return get


COLUMNS: dict[str, Callable[[Event], Any]] = {
    "v": lambda event: event.v,
    "epoch": lambda event: event.epoch,
    "id": lambda event: event.id,
    "uid": lambda event: event.uid,
    "parent": lambda event: event.parent,
    "root": lambda event: event.root,
    "ts": lambda event: event.ts,
    "signal": lambda event: event.signal,
    "family": lambda event: event.family,
    "sender": lambda event: event.sender,
    "method": lambda event: event.method,
    "duration_us": lambda event: event.duration_us,
    "status": lambda event: event.status,
    "error_type": _part("error", "type"),
    "error_message": _part("error", "message"),
    "receiver_count": lambda event: len(event.receivers),
    "receivers_raised": lambda event: sum(call.status == "raised" for call in event.receivers),
    "receivers": lambda event: _json(event.receivers),
    "kwargs": lambda event: _json(event.kwargs),
    "changes": lambda event: _json(event.changes),
    "cause_kind": _part("cause", "kind"),
    "cause_name": _part("cause", "name"),
    "cause_id": _part("cause", "id"),
    "cause_route": _part("cause", "route"),
    "cause_status": _part("cause", "status"),
    "cause_user": _part("cause", "user"),
    "where": lambda event: event.where,
    "transaction_db": _part("transaction", "db"),
    "transaction_state": _part("transaction", "state"),
    "transaction_id": _part("transaction", "id"),
    "process_host": _part("process", "host"),
    "process_pid": _part("process", "pid"),
    "process_seq": _part("process", "seq"),
    "thread": lambda event: event.thread,
    "flags": lambda event: " ".join(event.flags),
    "counted_sends": _part("counted", "sends"),
    "counted_duration_us": _part("counted", "duration_us"),
    "counted_seconds": _part("counted", "seconds"),
}


def write(events: Iterable[Event]) -> Iterator[str]:
    """The names of the columns, then a row for each event."""
    buffer = StringIO(newline="")
    writer = csv.writer(buffer)

    def taken() -> str:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    writer.writerow(COLUMNS)
    yield taken()
    for event in events:
        writer.writerow([harmless(get(event)) for get in COLUMNS.values()])
        yield taken()


def harmless(cell: Any) -> Any:
    """The cell, so that a spreadsheet shows it, and shows it instead of reckoning with it."""
    if type(cell) is not str:
        return cell
    text = cell.translate(_ESCAPED)
    return f"'{text}" if text.startswith(FORMULA_BEGINNINGS) else text
