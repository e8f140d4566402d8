"""A batch as a Redis journal stores it: one entry with the bodies, and one of a directory with what is small.

Bodies are lines of JSON. The directory's columns have one number for each event, in the byte order of most machines.
"""

import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec

from livesignals.events import Record, decode_stored
from livesignals.journal.base import has_raised

_pack = msgspec.msgpack.Encoder().encode
TIMES, HASHES = "q", "I"  # types of arrays, of 8 and of 4 bytes


class Batch(NamedTuple):
    """The parts of a batch, in the order in which the script takes them."""

    events: int
    payload: bytes
    pending: bytes  # msgpack: how many events of each transaction are pending; b"" without
    size: int
    families: bytes  # msgpack: how many events of each family
    evict: bytes  # msgpack: families, the place of each event's among them, each event's size
    times: bytes
    roots: bytes
    causes: bytes
    errors: bytes  # a byte each


def batch_of(records: Sequence[Record]) -> Batch:
    families = Counter(record.family for record in records)
    pending = Counter(record.tx_id for record in records if record.tx_state == "pending" and record.tx_id)
    sizes = [record.size for record in records]
    places = {family: place for place, family in enumerate(families)}
    return Batch(
        len(records),
        b"\n".join([record.body for record in records]),
        _pack(pending) if pending else b"",
        sum(sizes),
        _pack(families),
        _pack([list(families), [places[record.family] for record in records], sizes]),
        packed(TIMES, [record.ts_us for record in records]),
        packed(HASHES, [hashed(record.root) for record in records]),
        packed(HASHES, [hashed(record.cause_id) for record in records]),
        bytes([_has_raised(record) for record in records]),
    )


def hashed(name: str) -> int:
    """Tells most names apart, in four bytes."""
    return crc32(name.encode())


def packed(typecode: str, numbers: Iterable[int]) -> bytes:
    column = array(typecode, numbers)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def unpacked(typecode: str, column: bytes) -> "array[int]":
    numbers = array(typecode)
    numbers.frombytes(column)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _has_raised(record: Record) -> bool:
    if record.status == "raised":
        return True
    # What a send carried may look the same, so that this only saves the work for most.
    return b'"status":"raised"' in record.body and has_raised(decode_stored("", 0, record.body))
