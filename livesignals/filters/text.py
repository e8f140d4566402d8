"""What a bare word is looked for in, and how text is compared without regard to case."""

import re
from typing import Any

import msgspec

from livesignals.events import Cause, Event, decode_stored

#: Characters of ``event_text``; what is further back cannot be found by a bare word.
TEXT_LIMIT = 4_096


def fold(text: str) -> str:
    """*text* as it is compared: without case, and without NUL, where SQLite's GLOB would stop reading."""
    return text.casefold().replace("\0", "\ufffd")


def scalar_text(value: Any) -> str:
    """A JSON scalar in words: a string as it is, anything else as its JSON."""
    if type(value) is str:
        return value
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    return msgspec.json.encode(value).decode()


def cause_text(cause: Cause | None) -> str:
    """``"kind name"``, as in "request POST /orders/"; "" for no cause."""
    return "" if cause is None else f"{cause.kind} {cause.name}"


def event_text(event: Event) -> str:
    """What the event says, folded: one line a field, at most ``TEXT_LIMIT`` characters.

    Line ends inside a field become spaces: words on both sides of a field's border are never found as one.
    """
    lines = [
        event.signal,
        event.sender,
        event.family,
        event.method,
        cause_text(event.cause),
        event.where or "",
    ]
    if event.error is not None:
        lines.append(f"{event.error.type} {event.error.message}")
    for call in event.receivers:
        lines.append(call.name)
        if call.error is not None:
            lines.append(f"{call.error.type} {call.error.message}")
    _add_values(lines, event.kwargs)
    _add_values(lines, event.changes or {})
    text = "\n".join(lines)
    if text.count("\n") >= len(lines):
        text = "\n".join([line.replace("\n", " ") for line in lines])
    return fold(text)[:TEXT_LIMIT]


def body_says(body: str, needle: str, hint: str) -> bool:
    """Whether ``event_text`` of the event with this JSON body holds *needle*, a folded text.

    *hint* is ``said_in_json(needle)``: most bodies do not hold it, and need not be opened.
    """
    return hint in body.casefold() and needle in event_text(decode_stored("", 0, body.encode()))


def said_in_json(needle: str) -> str:
    """The longest part of a folded text that JSON writes as it is, and that is of one field."""
    return max(_WRITTEN_ALIKE.findall(needle), key=len, default="")


#: Left out: what JSON escapes, what stands for that in a folded text, and what joins fields in one line of the text.
_WRITTEN_ALIKE = re.compile(r'[^\s"\\=\x00-\x1f\x7f\ufffd]+')


def _add_values(lines: list[str], kwargs: dict[str, Any]) -> None:
    """Add "key=value" for each scalar, in order; a container adds its key, then what it holds."""
    room = TEXT_LIMIT
    waiting: list[tuple[str, Any]] = list(reversed(kwargs.items()))
    while waiting and room > 0:
        key, value = waiting.pop()
        if type(value) is dict:
            waiting.extend(reversed(value.items()))
            line = key
        elif type(value) is list:
            waiting.extend([("", item) for item in reversed(value)])
            line = key
        else:
            line = f"{key}={scalar_text(value)}" if key else scalar_text(value)
        lines.append(line)
        room -= len(line) + 1
