"""Events to and from JSON.

A stored *body* is the event's JSON object without ``v``, ``epoch`` and ``id``: these three belong to
the journal that holds it, and are put in front when it is read. Splicing bytes is what lets a body be
encoded once, in the process that made the send, and handed on as it is.
"""

from typing import Any

import msgspec

from livesignals.events.model import FORMAT_VERSION, Event

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)
_JOURNALS_OWN = 3  # v, epoch and id are an event's first fields

#: The other fields of an event, by position. Any of them may be JSON already: ``msgspec.Raw``.
Body: Any = msgspec.defstruct("Body", Event.__struct_fields__[_JOURNALS_OWN:], gc=False)


def encode(event: Event) -> bytes:
    """The event as one line of JSON, without the newline."""
    return _encoder.encode(event)


def decode(line: bytes | str) -> Event:
    """The event in one line of JSON.

    Raises ``msgspec.ValidationError`` or ``msgspec.DecodeError``, both ``ValueError``, with what was wrong.
    """
    return _decoder.decode(line)


def encode_body(body: Any) -> bytes:
    """The JSON of a :data:`Body`."""
    return _encoder.encode(body)


def body_of(event: Event) -> bytes:
    """The body of an event that no journal holds yet.

    Raises ValueError for one that has an epoch or id: it would lose them.
    """
    if event.epoch or event.id:
        raise ValueError("only an event without epoch and id has a body of its own")
    return encode_body(Body(*msgspec.structs.astuple(event)[_JOURNALS_OWN:]))


def splice(epoch: str, event_id: int, body: bytes) -> bytes:
    """The JSON line of a stored event, from its body."""
    return b'{"v":%d,"epoch":"%s","id":%d,%s' % (FORMAT_VERSION, epoch.encode(), event_id, body[1:])


def decode_stored(epoch: str, event_id: int, body: bytes) -> Event:
    """The event that a journal holds as *body*."""
    return _decoder.decode(splice(epoch, event_id, body))
