"""The immutable event and its JSON."""

from livesignals.events.codec import decode, decode_stored, encode, encode_body, splice
from livesignals.events.model import Cause, Counted, Error, Event, Process, ReceiverCall, Returned, Transaction

__all__ = [
    "Cause",
    "Counted",
    "Error",
    "Event",
    "Process",
    "ReceiverCall",
    "Returned",
    "Transaction",
    "decode",
    "decode_stored",
    "encode",
    "encode_body",
    "splice",
]
