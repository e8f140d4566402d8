"""What a journal keeps of an event: its JSON body and the text that bare words are looked for in."""

from typing import Any

import msgspec

from livesignals.events import Event, encode_body
from livesignals.filters.text import event_text


def storable(event: Event) -> tuple[Event, bytes, str, int]:
    """The event, its body, its text, and the size of both in bytes, which RETAIN_BYTES bounds.

    Lone surrogates, which no UTF-8 can say, become question marks.
    """
    try:
        body = encode_body(event)
        text = event_text(event)
        return event, body, text, len(body) + len(text.encode())
    except UnicodeEncodeError:
        return storable(msgspec.convert(_encodable(msgspec.to_builtins(event)), Event))


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
        case list():
            return [_encodable(item) for item in value]
    return value
