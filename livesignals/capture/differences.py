"""Which fields a save changed, told from what its instance held before. On the flusher's thread."""

from decimal import Decimal
from typing import Any

from msgspec import Struct

from livesignals.snapshot.freeze import MAX_BYTES, PLAIN, Cut, Instance, Partial, freeze_value

#: In place of a value that is not known.
UNKNOWN: Any = object()
#: Classes of frozen values that can be compared with others of the same.
COMPARABLE = frozenset({*PLAIN, Cut})


class Before(Struct, eq=False):
    """What an instance held before a save: the values of ``attnames``, some of which may not be plain."""

    attnames: tuple[str, ...]
    values: tuple[Any, ...]
    is_stored: bool  # loaded or saved; else only what ``pre_save`` carried
    written: frozenset[str] | None  # attnames of what the save writes; None for all


def differences(before: Before, now: Instance | Partial) -> dict[str, tuple[Any, Any]] | None:
    """Old and new value of each field that a save writes and that differs, by attname.

    Empty when none does; None when that is not known.
    """
    if len(before.attnames) != len(before.values):
        return None  # the model has got another field since
    present = now.fields if isinstance(now, Partial) else dict(zip(now.shape.attnames, now.values, strict=True))
    written = before.written
    is_sure = before.is_stored and (
        len(before.attnames) == len(now.shape.attnames) if written is None else written.issubset(before.attnames)
    )
    found: dict[str, tuple[Any, Any]] = {}
    for attname, value in zip(before.attnames, before.values, strict=True):
        if written is not None and attname not in written:
            continue
        new = present.get(attname, UNKNOWN)
        if value is new and value is not UNKNOWN:
            continue
        old = value if type(value) is Cut else freeze_value(value, MAX_BYTES)
        differs = _differ(old, new)
        if differs:
            found[attname] = old, new
        elif differs is None:
            is_sure = False
    return found if found or is_sure else None


def _differ(old: Any, new: Any) -> bool | None:
    """Whether two frozen values differ; None when they cannot be compared. Only plain ones of one type can be."""
    if old.__class__ not in COMPARABLE or new.__class__ not in COMPARABLE:
        return None
    if old is None or new is None:
        return old is not new
    if old.__class__ is Cut or new.__class__ is Cut:
        return _cut_differ(old, new)
    if old.__class__ is not new.__class__:
        return None
    if type(old) is Decimal and type(new) is Decimal and (old.is_nan() or new.is_nan()):  # a signalling one raises
        return str(old) != str(new)
    is_nan = old.__class__ is float and old != old and new != new
    return bool(old != new) and not is_nan


def _cut_differ(old: Any, new: Any) -> bool | None:
    (head, length), (new_head, new_length) = (
        (value.head, value.length) if value.__class__ is Cut else (value, len(value)) for value in (old, new)
    )
    if head.__class__ is not new_head.__class__:
        return None
    seen = min(len(head), len(new_head))
    # Beyond what was kept they may differ or not.
    return True if length != new_length or head[:seen] != new_head[:seen] else None
