"""An event as it travels to a journal: encoded once, in the process that made the send."""

from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from livesignals.events.codec import body_of
from livesignals.events.model import Event


class Record(NamedTuple):
    """The JSON *body* of an event, and beside it what is looked for without opening it."""

    root: str
    ts_us: int  # since 1970, UTC
    signal: str
    family: str
    sender: str
    duration_us: float | None
    n: int  # receiver calls
    status: str
    cause: str  # "request POST /orders/", "" without
    cause_id: str  # "" without
    tx_state: str | None
    tx_id: str | None
    flags: str  # " masked truncated ", "" without
    size: int  # bytes of the body, what RETAIN_BYTES bounds
    body: bytes


def record_of(event: Event) -> Record:
    """The record of an event that no journal holds yet.

    Lone surrogates, which no UTF-8 can say, become question marks.
    """
    try:
        body = body_of(event)
    except UnicodeEncodeError:
        return record_of(msgspec.convert(_encodable(msgspec.to_builtins(event)), Event))
    cause, transaction = event.cause, event.transaction
    return Record(
        event.root,
        microseconds(event.ts),
        event.signal,
        event.family,
        event.sender,
        event.duration_us,
        len(event.receivers),
        event.status,
        f"{cause.kind} {cause.name}" if cause else "",
        cause.id if cause else "",
        transaction.state if transaction else None,
        transaction.id if transaction else None,
        flags_text(event.flags),
        len(body),
        body,
    )


def flags_text(flags: list[str]) -> str:
    """Flags in one text, in which each has a space on both sides."""
    return f" {' '.join(flags)} " if flags else ""


def microseconds(ts: str) -> int:
    """Since 1970, from an event's ``ts``."""
    return _seconds(ts[:19]) * 1_000_000 + int(ts[20:26])


@lru_cache(maxsize=16)
def _seconds(ts: str) -> int:
    return int(datetime.fromisoformat(ts + "+00:00").timestamp())


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
        case list():
            return [_encodable(item) for item in value]
    return value
