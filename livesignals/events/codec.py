"""Events to and from JSON.

A stored *body* is the event's JSON object without ``v``, ``epoch`` and ``id``: these three belong to
the journal that holds it, and are put in front when it is read. Splicing bytes is what lets a body be
encoded once, in the process that made the send, and handed on as it is.
"""

import msgspec

from livesignals.events.model import FORMAT_VERSION, Event

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)
_UNSTORED_PREFIX = b'{"v":%d,"epoch":"","id":0,' % FORMAT_VERSION


def encode(event: Event) -> bytes:
    """The event as one line of JSON, without the newline."""
    return _encoder.encode(event)


def decode(line: bytes | str) -> Event:
    """The event in one line of JSON.

    Raises ``msgspec.ValidationError`` or ``msgspec.DecodeError``, both ``ValueError``, with what was wrong.
    """
    return _decoder.decode(line)


def encode_body(event: Event) -> bytes:
    """The body of an event that no journal holds yet."""
    encoded = _encoder.encode(event)
    if not encoded.startswith(_UNSTORED_PREFIX):
        raise ValueError("only an event without epoch and id has a body of its own")
    return b"{" + encoded[len(_UNSTORED_PREFIX) :]


def splice(epoch: str, event_id: int, body: bytes) -> bytes:
    """The JSON line of a stored event, from its body."""
    return b'{"v":%d,"epoch":"%s","id":%d,%s' % (FORMAT_VERSION, epoch.encode(), event_id, body[1:])


def decode_stored(epoch: str, event_id: int, body: bytes) -> Event:
    """The event that a journal holds as *body*."""
    return _decoder.decode(splice(epoch, event_id, body))
