"""The immutable event and its JSON."""

from livesignals.events.codec import Body, body_of, decode, decode_stored, encode, encode_body, splice
from livesignals.events.model import Cause, Counted, Error, Event, Process, ReceiverCall, Returned, Transaction
from livesignals.events.record import Record, flags_text, record_of

__all__ = [
    "Body",
    "Cause",
    "Counted",
    "Error",
    "Event",
    "Process",
    "ReceiverCall",
    "Record",
    "Returned",
    "Transaction",
    "body_of",
    "decode",
    "decode_stored",
    "encode",
    "encode_body",
    "flags_text",
    "record_of",
    "splice",
]
