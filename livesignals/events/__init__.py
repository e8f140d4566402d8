"""The immutable event and its JSON."""

from livesignals.events.codec import decode, decode_stored, encode, encode_body, splice
from livesignals.events.model import Cause, Error, Event, Process, ReceiverCall, Returned, Transaction

__all__ = [
    "Cause",
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
