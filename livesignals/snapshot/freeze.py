"""First step, on the project's thread: copy plain values, leave a name for everything else.

Nothing here asks a value anything: types are compared by identity, instances are read through their ``__dict__``,
containers are walked only when they are exactly Python's own. What comes out holds immutable values and the classes
below, never an object of the project's.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

from livesignals.snapshot.types import PLAIN, Shape, dict_of, mro_of, shape_of

MAX_DEPTH = 4
MAX_ITEMS = 32
MAX_CHARS = 1_024
MAX_NODES = 256
MAX_INT_BITS = 256


class Cut(NamedTuple):
    """The head of a text or bytes that was too long, and how long it was."""

    head: str | bytes
    length: int


class Instance(NamedTuple):
    """A model instance: the values of ``shape.attnames``; a missing one was deferred."""

    shape: Shape
    values: tuple[Any, ...]


class Partial(NamedTuple):
    """A model instance without some of its fields (deferred, or half built)."""

    shape: Shape
    fields: dict[str, Any]


class Items(NamedTuple):
    """A list, tuple or set. ``more``: how many were left out; -1: some, not counted."""

    items: tuple[Any, ...]
    more: int


class Pairs(NamedTuple):
    """A dict."""

    pairs: tuple[tuple[Any, Any], ...]
    more: int


class Opaque(NamedTuple):
    """Something that is told by its class, and by a few attributes known to be harmless."""

    name: str
    attributes: dict[str, Any]


class ClassName(NamedTuple):
    """A class."""

    name: str


class _Budget:
    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes = MAX_NODES


#: Of the request's environment and scope only these: the rest is the whole process environment, and cookies.
_REQUEST_KEYS: dict[str, tuple[str, ...]] = {
    "environ": ("REQUEST_METHOD", "PATH_INFO", "CONTENT_TYPE", "SERVER_PROTOCOL"),
    "scope": ("type", "method", "path", "http_version", "scheme"),
}


def freeze(named: dict[str, Any]) -> dict[str, Any]:
    """What a send carried, by name. *named* is left as it is; the result is a new dict."""
    frozen = named.copy()
    budget = None
    for name, value in named.items():
        cls = type(value)
        if cls is bool or value is None:
            continue
        if cls is str and len(value) <= MAX_CHARS:
            continue
        if name in _REQUEST_KEYS and cls is dict:
            frozen[name] = {key: _plain_or_name(value[key]) for key in _REQUEST_KEYS[name] if key in value}
            continue
        if budget is None:
            budget = _Budget()
        frozen[name] = _freeze(value, cls, 0, budget)
    return frozen


def freeze_value(value: Any) -> Any:
    """One value, such as what a receiver returned."""
    return _freeze(value, type(value), 0, _Budget())


def _plain_or_name(value: Any) -> Any:
    return value if type(value) is str and len(value) <= MAX_CHARS else _freeze(value, type(value), 1, _Budget())


def _freeze(value: Any, cls: type, depth: int, budget: _Budget) -> Any:
    if cls in PLAIN:
        return _freeze_plain(value, cls)
    budget.nodes -= 1
    if cls in _CONTAINERS:
        if depth >= MAX_DEPTH or budget.nodes <= 0:
            return Opaque(cls.__name__, {})
        return _CONTAINERS[cls](value, depth, budget)
    shape = shape_of(cls)
    if shape.get is not None or (shape.is_model and shape.learn_fields()):
        return _freeze_instance(value, shape, depth, budget)
    bases = mro_of(cls)
    if type in bases:
        return ClassName(shape_of(value).label)
    for base, plain in _PLAIN_BASES:
        if base in bases:
            return _freeze_plain(plain(value), base)
    return Opaque(shape.label, _reveal(value, shape))


def _freeze_plain(value: Any, cls: type) -> Any:
    if cls is str or cls is bytes:
        return Cut(value[:MAX_CHARS], len(value)) if len(value) > MAX_CHARS else value
    if cls is int and value.bit_length() > MAX_INT_BITS:
        return Opaque(f"int of {value.bit_length()} bits", {})
    if cls.__name__ == "Decimal" and value.__sizeof__() > MAX_CHARS:
        return Opaque("decimal.Decimal", {})
    return value


def _freeze_instance(instance: Any, shape: Shape, depth: int, budget: _Budget) -> Any:
    state = dict_of(instance, "__dict__")
    try:
        values: tuple[Any, ...] = shape.get(state)  # type: ignore[misc]
    except KeyError:
        pass  # some are deferred
    else:
        is_small = shape.plan(values)
        if is_small is not None and is_small(values):
            return Instance(shape, values)
    if depth >= MAX_DEPTH or budget.nodes <= 0:
        return Opaque(shape.label, {})
    return Partial(
        shape,
        {name: _freeze(state[name], type(state[name]), depth + 1, budget) for name in shape.attnames if name in state},
    )


def _freeze_items(items: Any, depth: int, budget: _Budget) -> Any:
    return Items(_walk(items, depth, budget), max(0, len(items) - MAX_ITEMS))


def _walk(items: Iterable[Any], depth: int, budget: _Budget) -> tuple[Any, ...]:
    try:
        some = list(islice(items, MAX_ITEMS))
    except RuntimeError:  # another thread changed its size
        return ()
    return tuple(_freeze(item, type(item), depth + 1, budget) for item in some)


def _freeze_pairs(pairs: dict[Any, Any], depth: int, budget: _Budget) -> Any:
    try:
        some = list(islice(pairs.items(), MAX_ITEMS))
    except RuntimeError:
        some = []
    return Pairs(
        tuple(
            (_freeze(key, type(key), depth + 1, budget), _freeze(value, type(value), depth + 1, budget))
            for key, value in some
        ),
        max(0, len(pairs) - len(some)),
    )


def _reveal(value: Any, shape: Shape) -> dict[str, Any]:
    if not shape.revealed:
        return {}
    try:
        state = dict_of(value, "__dict__")
    except AttributeError:
        state = {}
    attributes = {}
    for name in shape.revealed:
        slot = shape.slots.get(name)
        if name in state:
            attributes[name] = _plain_or_name(state[name])
        elif slot is not None:
            try:
                attributes[name] = _plain_or_name(slot.__get__(value))
            except AttributeError:
                continue  # not set
    return attributes


_CONTAINERS = {
    list: _freeze_items,
    tuple: _freeze_items,
    set: _freeze_items,
    frozenset: _freeze_items,
    dict: _freeze_pairs,
}
#: Enum members and safe strings are plain values in a coat; the base class's own method takes it off.
_PLAIN_BASES = (
    (str, lambda value: str.__getitem__(value, slice(0, MAX_CHARS + 1))),
    (int, int.__index__),
    (float, lambda value: float.__add__(value, 0.0)),
    (bytes, lambda value: bytes.__getitem__(value, slice(0, MAX_CHARS + 1))),
)
