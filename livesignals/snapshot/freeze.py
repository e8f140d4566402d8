"""First step, on the project's thread: copy plain values, leave a name for everything else.

Nothing here asks a value anything: types are compared by identity, instances are read through their ``__dict__``,
containers are walked only when they are exactly Python's own. What comes out holds immutable values and the classes
below, never an object of the project's, and never more than about 32 KiB.
"""

import datetime
import weakref
import zoneinfo
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID, SafeUUID

from msgspec import Struct

from livesignals.snapshot.types import Shape, dict_descriptor, shape_of, shapes, slot_of

MAX_DEPTH = 4
MAX_ITEMS = 32
MAX_CHARS = 1_024  # of one text
MAX_ARGUMENTS = 32
MAX_INT_BITS = 256
MAX_BYTES = 20_480  # of memory, for all arguments together
MAX_RETURNED_BYTES = 2_048
#: So many arguments with such names and texts are not worth counting.
FEW_ARGUMENTS, SHORT_NAME, SHORT_TEXT = 16, 64, 64
#: What an entry of the result takes beside the text or number in it.
_ENTRY_BYTES, _CONTAINER_BYTES = 16, 160
_INT_LIMIT = 2**63
#: Of one model: its instances have few combinations of types in their fields. Others are frozen value by value.
_MAX_PLANS = 16


class Cut(Struct, gc=False):
    """The head of a text or bytes that was too long, and how long it was."""

    head: str | bytes
    length: int


class Instance(Struct, gc=False):
    """A model instance: the values of ``shape.attnames``, and the names of those that are texts."""

    shape: Shape
    values: tuple[Any, ...]
    texts: tuple[str, ...]


class Partial(Struct, gc=False):
    """A model instance without some of its fields: deferred, half built, or ``more`` of them left out for size."""

    shape: Shape
    fields: dict[str, Any]
    more: int


class Items(Struct, gc=False):
    """A list, tuple or set. ``more``: how many were left out."""

    items: tuple[Any, ...]
    more: int


class Pairs(Struct, gc=False):
    """A dict. ``more``: how many were left out."""

    pairs: tuple[tuple[Any, Any], ...]
    more: int


class Opaque(Struct, gc=False):
    """Something that is told by its class, and by a few attributes known to be harmless."""

    name: str
    attributes: dict[str, Any]


class ClassName(Struct, gc=False):
    """A class."""

    name: str


class Left(Struct, gc=False):
    """Something for which there was no room: too deep inside the rest, or after too much of it."""

    name: str


class _Room(Struct):
    left: int = MAX_BYTES


#: Of the request's environment and scope only these: the rest is the whole process environment, and cookies.
_ENVIRON_KEYS = ("REQUEST_METHOD", "PATH_INFO", "CONTENT_TYPE", "SERVER_PROTOCOL")
_SCOPE_KEYS = ("type", "method", "path", "http_version", "scheme")


def freeze(named: dict[str, Any]) -> dict[str, Any]:
    """What a send carried, by name. *named* is left as it is; the result is a new dict."""
    if len(named) > FEW_ARGUMENTS:
        return _freeze_many(named)
    frozen = named.copy()
    room = None
    for name, value in named.items():
        if type(name) is not str or len(name) > SHORT_NAME:
            return _freeze_many(named)
        if value is None or value is False or value is True:
            continue
        cls = type(value)
        if cls is str and len(value) <= SHORT_TEXT:
            continue
        if room is None:
            room = _Room()
        if name == "environ" and cls is dict:
            frozen[name] = _chosen(value, _ENVIRON_KEYS, 0, room)
            continue
        shape = shapes.get(id(cls))
        frozen[name] = (
            _freeze(value, cls, 0, room)
            if shape is None or shape.get is None
            else _freeze_instance(value, shape, 0, room)
        )
    return frozen


def _freeze_many(named: dict[str, Any]) -> dict[str, Any]:
    """Many arguments, or such as no one writes in a call: each is counted."""
    room = _Room()
    frozen: dict[str, Any] = {}
    for name, value in islice(named.items(), MAX_ARGUMENTS):
        plain = str.__getitem__(name, slice(0, SHORT_NAME))
        room.left -= plain.__sizeof__() + _ENTRY_BYTES
        if room.left <= 0:
            break
        if plain == "environ" and type(value) is dict:
            frozen[plain] = _chosen(value, _ENVIRON_KEYS, 0, room)
        else:
            frozen[plain] = _freeze(value, type(value), 0, room)
    if len(named) > len(frozen):
        frozen["…"] = Left(f"{len(named) - len(frozen)} more")
    return frozen


def freeze_value(value: Any, room: int = MAX_RETURNED_BYTES) -> Any:
    """One value by itself, of at most *room* bytes. What a receiver returned is told briefly."""
    return _freeze(value, type(value), 0, _Room(room))


def _freeze(value: Any, cls: type, depth: int, room: _Room) -> Any:
    # A class with a metaclass is not looked up in a dict: that would run the metaclass's __hash__.
    if type(cls) is type:
        plain = _PLAIN.get(cls)
        if plain is not None:
            return plain(value, room)
        container = _CONTAINERS.get(cls)
        if container is not None:
            if depth >= MAX_DEPTH or room.left <= 0:
                return Left(cls.__name__)
            room.left -= _CONTAINER_BYTES
            return container(value, depth, room)
    shape = shapes.get(id(cls)) or shape_of(cls)
    if shape.get is not None or (shape.is_model and shape.learn_fields()):
        return _freeze_instance(value, shape, depth, room)
    room.left -= _CONTAINER_BYTES
    if issubclass(cls, type):
        return ClassName(shape_of(value).label)
    for base, plain in _PLAIN_BASES:
        if issubclass(cls, base):
            return plain(value, room)
    return Opaque(shape.label, _reveal(value, cls, shape, depth, room))


def _freeze_instance(instance: Any, shape: Shape, depth: int, room: _Room) -> Any:
    state = shape.state(instance)  # type: ignore[misc]
    if type(state) is not dict:
        return Opaque(shape.label, {})
    try:
        values: tuple[Any, ...] = shape.get(state)  # type: ignore[misc]
    except KeyError:
        pass  # some are deferred
    else:
        plan: _Plan
        for plan in shape.plans:
            size = plan.size_of(*values)
            if size is not None:
                if not 0 < size <= room.left:
                    break
                room.left -= size
                return Instance(shape, plan.without_coats(values) if plan.coats else values, plan.texts)
        else:
            if _learn_plan(shape, values):
                return _freeze_instance(instance, shape, depth, room)
    if depth >= MAX_DEPTH or room.left <= 0:
        return Left(shape.label)
    room.left -= _CONTAINER_BYTES
    present = [name for name in shape.attnames if name in state]
    fields: dict[str, Any] = {}
    for name in present:
        if room.left <= 0:
            break
        fields[name] = _freeze(state[name], type(state[name]), depth + 1, room)
    return Partial(shape, fields, len(present) - len(fields))


def _learn_plan(shape: Shape, values: tuple[Any, ...]) -> bool:
    """Make a plan for values like these; False when they cannot be kept, or there are plans enough."""
    types = tuple(map(type, values))
    if len(shape.plans) >= _MAX_PLANS or not all(_is_fit(cls) or issubclass(cls, str) for cls in types):
        return False
    texts = tuple(name for name, cls in zip(shape.attnames, types, strict=True) if issubclass(cls, str))
    coats = tuple(index for index, cls in enumerate(types) if not _is_fit(cls))
    shape.plans = (*shape.plans, _Plan(_size_function(types), texts, coats))
    return True


def _is_fit(cls: type) -> bool:
    return type(cls) is type and cls in _FIT


class _Plan(NamedTuple):
    """How instances with values of certain types are frozen."""

    size_of: Callable[..., int | None]  # see _size_function
    texts: tuple[str, ...]  # names of the fields that are texts
    coats: tuple[int, ...]  # which values are texts of a class of the project's, such as members of TextChoices

    def without_coats(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        plain = list(values)
        for index in self.coats:
            plain[index] = str.__str__(values[index])
        return tuple(plain)


def _size_function(types: tuple[type, ...]) -> Callable[..., int | None]:
    """A function of values of these types, in this order: bytes that they take at most, 0 when one of them cannot be
    kept as it is, None when they are of other types.

    It is written out, as a named tuple's methods are, since every send of a model's signals calls it. Types are
    compared by identity: comparing or hashing classes would run the code of a metaclass.
    """
    names = [f"value{index}" for index in range(len(types))]
    namespace: dict[str, Any] = {"UTC": datetime.UTC, "is_sound": _is_sound, "length": str.__len__}
    kinds, lengths, conditions, size = [], ["0"], [], _CONTAINER_BYTES
    for name, cls in zip(names, types, strict=True):
        if _is_fit(cls):
            namespace[cls.__name__] = cls
            kinds.append(f"type({name}) is {cls.__name__}")
        else:  # held weakly, as all classes of the project
            namespace[f"class_of_{name}"] = weakref.ref(cls)
            kinds.append(f"type({name}) is class_of_{name}()")
        bytes_of_one, condition = _FIT[cls] if _is_fit(cls) else _FIT[str]
        size += bytes_of_one
        if condition:
            conditions.append(f" and {condition.format(name)}")
        if issubclass(cls, str):
            lengths.append(f"{'len' if cls is str else 'length'}({name})")
    source = f"""
def size_of({", ".join(names)}):
    if {" and ".join(kinds)}:
        chars = {" + ".join(lengths)}
        if (chars <= {MAX_CHARS} or max([{", ".join(lengths)}]) <= {MAX_CHARS}){"".join(conditions)}:
            return {size} + 4 * chars
        return 0
"""
    exec(source, namespace)
    function: Callable[..., int | None] = namespace["size_of"]
    return function


def _is_sound(value: UUID) -> bool:
    """Whether a UUID, an object with slots, holds nothing but what belongs there."""
    try:
        return type(value.int) is int and 0 <= value.int < 2**128 and type(value.is_safe) is SafeUUID
    except AttributeError:  # half built
        return False


def _chosen(pairs: dict[Any, Any], keys: tuple[str, ...], depth: int, room: _Room) -> dict[str, Any]:
    return {key: _freeze(pairs[key], type(pairs[key]), depth + 1, room) for key in keys if key in pairs}


def _freeze_items(items: Any, depth: int, room: _Room) -> Items:
    some = _some(items)
    frozen = []
    for item in some:
        if room.left <= 0:
            break
        frozen.append(_freeze(item, type(item), depth + 1, room))
    return Items(tuple(frozen), max(0, len(items) - len(frozen)))


def _freeze_pairs(pairs: dict[Any, Any], depth: int, room: _Room) -> Any:
    if "REQUEST_METHOD" in pairs:  # a request's environment, whatever name it goes by
        return _chosen(pairs, _ENVIRON_KEYS, depth, room)
    if "type" in pairs and ("asgi" in pairs or "headers" in pairs):
        return _chosen(pairs, _SCOPE_KEYS, depth, room)
    frozen = []
    for key, value in _some(pairs.items()):
        if room.left <= 0:
            break
        room.left -= _ENTRY_BYTES * 4  # the pair
        frozen.append((_freeze(key, type(key), depth + 1, room), _freeze(value, type(value), depth + 1, room)))
    return Pairs(tuple(frozen), max(0, len(pairs) - len(frozen)))


def _some(items: Iterable[Any]) -> list[Any]:
    try:
        return list(islice(items, MAX_ITEMS))
    except RuntimeError:  # another thread changed its size
        return []


def _reveal(value: Any, cls: type, shape: Shape, depth: int, room: _Room) -> dict[str, Any]:
    if not shape.revealed:
        return {}
    descriptor = dict_descriptor(cls)
    state = descriptor.__get__(value) if descriptor is not None else None
    attributes = {}
    for name in shape.revealed:
        try:
            attribute = state[name] if type(state) is dict and name in state else slot_of(value, cls, name)
        except AttributeError:
            continue  # not set
        attributes[name] = _freeze(attribute, type(attribute), depth + 1, room)
    return attributes


def _as_it_is(value: Any, room: _Room) -> Any:
    room.left -= _ENTRY_BYTES + 64
    return value


def _constant(value: Any, room: _Room) -> Any:
    room.left -= _ENTRY_BYTES
    return value


def _text(value: Any, room: _Room) -> Any:
    """A text or bytes; its head when it is longer than is told, or than there is room for."""
    head = value if len(value) <= MAX_CHARS else value[:MAX_CHARS]
    if head.__sizeof__() > room.left:
        head = value[: max(0, room.left // 8)]
    room.left -= head.__sizeof__() + _ENTRY_BYTES
    return value if len(head) == len(value) else Cut(head, len(value))


def _coated_text(value: Any, base: Any, room: _Room) -> Any:
    head, length = base.__getitem__(value, slice(0, MAX_CHARS)), base.__len__(value)
    frozen = _text(head, room)
    return frozen if length == len(head) else Cut(frozen.head if type(frozen) is Cut else frozen, length)


def _int(value: int, room: _Room) -> Any:
    room.left -= _ENTRY_BYTES + 64
    return value if value.bit_length() <= MAX_INT_BITS else Opaque(f"int of {value.bit_length()} bits", {})


def _decimal(value: Decimal, room: _Room) -> Any:
    room.left -= min(value.__sizeof__(), MAX_CHARS) + _ENTRY_BYTES
    return value if value.__sizeof__() <= MAX_CHARS else Opaque("decimal.Decimal", {})


def _datetime(value: datetime.datetime, room: _Room) -> Any:
    """With an offset of its own: a zone may be the project's class, and its code would be called for the offset."""
    room.left -= _ENTRY_BYTES + 128
    zone = value.tzinfo
    if zone is None or zone is datetime.UTC:
        return value
    local = value.replace(tzinfo=None)
    if type(zone) is not datetime.timezone and type(zone) is not zoneinfo.ZoneInfo:
        return Opaque("datetime.datetime", {"local": local})
    return local.replace(tzinfo=datetime.timezone(value.utcoffset() or datetime.timedelta()))


def _time(value: datetime.time, room: _Room) -> Any:
    room.left -= _ENTRY_BYTES + 64
    return value if value.tzinfo is None else value.replace(tzinfo=None)


def _uuid(value: UUID, room: _Room) -> Any:
    room.left -= _ENTRY_BYTES + 96
    return value if _is_sound(value) else Opaque("uuid.UUID", {})


#: Of the types that an instance may hold as they are: bytes of a value, and what else must be true of it.
_FIT: dict[type, tuple[int, str]] = {
    str: (64, ""),
    int: (32, f"{-_INT_LIMIT} < {{0}} < {_INT_LIMIT}"),
    bool: (8, ""),
    type(None): (8, ""),
    float: (32, ""),
    datetime.date: (32, ""),
    datetime.datetime: (56, "({0}.tzinfo is None or {0}.tzinfo is UTC)"),
    Decimal: (MAX_CHARS, f"{{0}}.__sizeof__() <= {MAX_CHARS}"),
    UUID: (96, "is_sound({0})"),
}
#: Immutable, without code of the project's in them.
_PLAIN: dict[type, Any] = {
    type(None): _constant,
    bool: _constant,
    str: _text,
    bytes: _text,
    int: _int,
    float: _as_it_is,
    Decimal: _decimal,
    datetime.datetime: _datetime,
    datetime.date: _as_it_is,
    datetime.time: _time,
    datetime.timedelta: _as_it_is,
    UUID: _uuid,
}
PLAIN = frozenset(_PLAIN)
_CONTAINERS: dict[type, Any] = {
    list: _freeze_items,
    tuple: _freeze_items,
    set: _freeze_items,
    frozenset: _freeze_items,
    dict: _freeze_pairs,
}
#: Enum members and safe strings are plain values in a coat; the base class's own method takes it off.
_PLAIN_BASES: tuple[tuple[type, Any], ...] = (
    (str, lambda value, room: _coated_text(value, str, room)),
    (int, lambda value, room: _int(int.__index__(value), room)),
    (float, lambda value, room: _as_it_is(float.__float__(value), room)),
    (bytes, lambda value, room: _coated_text(value, bytes, room)),
)
