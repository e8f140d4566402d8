"""Which receivers are connected to which signals of this process, read from Django's own ``Signal.receivers``.

Nothing of the project's is called: signals are found among all objects that Python's collector knows, references are
followed by Python's own code, and names are found as for an event.
"""

import gc
import weakref
from collections.abc import Iterable
from typing import Any

from django.dispatch import Signal
from msgspec import Struct, field

from livesignals.capture.receivers import receiver_name
from livesignals.capture.signals import sender_name, signal_name, type_name
from livesignals.catalogue.builtin import BUILTIN


class Connection(Struct, frozen=True):
    """One receiver that is connected to a signal. As JSON it is what ``receivers --json`` tells."""

    name: str  # dotted
    place: str | None  # "shop/receivers.py:41"
    is_async: bool = field(name="async")
    is_weak: bool = field(name="weak")
    dispatch_uid: str | None
    sender: str | None  # None: every sender


class ConnectedSignal(Struct, frozen=True):
    """A signal and who receives it, in the order in which they are called."""

    name: str  # dotted
    family: str
    receivers: list[Connection]


def connected_signals() -> list[ConnectedSignal]:
    """Every signal of the process: Django's in their order, then the others by name."""
    objects = gc.get_objects()
    signals = [each for each in objects if issubclass(type(each), Signal)]
    wanted = {row[0][1] for signal in signals for row in _rows(signal)}
    senders = {id(each): each for each in objects if id(each) in wanted}
    found = [_connected(signal, senders) for signal in signals]
    order = {name: number for number, name in enumerate(BUILTIN)}
    return sorted(found, key=lambda each: (order.get(each.name, len(order)), each.name))


def _connected(signal: Any, senders: dict[int, Any]) -> ConnectedSignal:
    name = signal_name(signal)
    builtin = BUILTIN.get(name)
    connections = [_connection(row, senders) for row in _rows(signal)]
    return ConnectedSignal(
        name, builtin.family if builtin else "custom", [each for each in connections if each is not None]
    )


def _rows(signal: Any) -> Iterable[Any]:
    """``(key, reference, …, is_async)`` of each receiver; see Django's dispatcher. Between the two, Django 6.0 has the
    sender's reference."""
    rows = object.__getattribute__(signal, "__dict__").get("receivers")
    return list(rows) if type(rows) is list else []


def _connection(row: Any, senders: dict[int, Any]) -> Connection | None:
    (who, sender_id), reference, is_async = row[0], row[1], row[-1]
    is_weak = type(reference) in (weakref.ref, weakref.WeakMethod)
    receiver = reference() if is_weak else reference
    if receiver is None:
        return None  # it is gone, and Django takes its row away at the next send
    name, place, _ = receiver_name(receiver)
    return Connection(name, place, bool(is_async), is_weak, _dispatch_uid(who), _sender(sender_id, senders))


def _dispatch_uid(who: Any) -> str | None:
    """The identifier that a receiver was connected with. Without one, Django has its id there, or two of them."""
    if type(who) is str:
        return who
    if type(who) is int or (type(who) is tuple and len(who) == 2 and all(type(part) is int for part in who)):
        return None
    return f"<{type_name(type(who))}>"


def _sender(sender_id: Any, senders: dict[int, Any]) -> str | None:
    if sender_id == id(None):
        return None
    if sender_id in senders:
        return sender_name(senders[sender_id])
    return "an object without a name"
