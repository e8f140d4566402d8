"""Names and layouts of the project's classes, found once for each class and without asking the class.

A class can lie about itself (metaclasses, ``__class__``, properties), so everything is read through ``type``'s own
descriptors. Classes are held weakly: a class that dies takes its entry along, before its id can be used again.
"""

import operator
import sys
import weakref
from collections.abc import Callable
from decimal import Decimal
from types import MemberDescriptorType
from typing import Any

_module_of = type.__dict__["__module__"].__get__
_qualname_of = type.__dict__["__qualname__"].__get__
mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
dict_of = object.__getattribute__

#: Longest text, and most bits, that all fields of an instance may have together to be copied without a closer look.
PLAIN_TEXT_CHARS = 2_048
PLAIN_INT_BITS = 2_048
PLAIN_SIZED_BYTES = 2_048


class Shape:
    """What is known of a class."""

    __slots__ = ("attnames", "get", "is_model", "label", "name", "options", "pk_attnames", "plans", "revealed", "slots")

    def __init__(self, cls: type) -> None:
        self.label = self.name = dotted_name(cls)
        self.revealed = _revealed(cls)
        #: those of ``revealed`` that are kept in ``__slots__``
        self.slots: dict[str, Any] = {
            name: descriptor
            for base in mro_of(cls)
            for name, descriptor in type.__getattribute__(base, "__dict__").items()
            if name in self.revealed and type(descriptor) is MemberDescriptorType
        }
        self.options = _options(cls)
        self.is_model = self.options is not None
        if self.is_model:
            self.label = f"{self.options.app_label}.{self.options.object_name}"
        self.attnames: tuple[str, ...] = ()
        self.pk_attnames: tuple[str, ...] = ()
        self.get: Callable[[dict[str, Any]], tuple[Any, ...]] | None = None
        #: types of the fields' values → whether such values can be copied as they are; None: look at each
        self.plans: dict[tuple[type, ...], Callable[[tuple[Any, ...]], bool] | None] = {}

    def learn_fields(self) -> bool:
        """Find out which fields the model has; False while models are still being loaded, and for other classes."""
        options = self.options
        if options is None or options.abstract or not options.apps.models_ready:
            return False
        pk_fields = getattr(options, "pk_fields", None) or [options.pk]
        self.pk_attnames = tuple(field.attname for field in pk_fields)
        self.attnames = tuple(field.attname for field in options.concrete_fields)
        self.get = _tuple_getter(self.attnames)
        return True

    def plan(self, values: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], bool] | None:
        """A test that says of values of these types whether they are small enough to be copied as they are."""
        types = tuple(map(type, values))
        try:
            return self.plans[types]
        except KeyError:
            if len(self.plans) > 64:
                self.plans.clear()
            plan = self.plans[types] = _plan(types)
            return plan


def _plan(types: tuple[type, ...]) -> Callable[[tuple[Any, ...]], bool] | None:
    if not PLAIN.issuperset(types):
        return None
    tests: list[tuple[Callable[[Any], tuple[Any, ...]], Callable[[Any], int], int]] = []
    for kinds, size, limit in (
        ((str,), len, PLAIN_TEXT_CHARS),
        ((int,), int.bit_length, PLAIN_INT_BITS),
        ((bytes, Decimal), sys.getsizeof, PLAIN_SIZED_BYTES),
    ):
        indexes = [index for index, cls in enumerate(types) if cls in kinds]
        if indexes:
            tests.append((_tuple_getter(indexes), size, limit))

    def is_small(values: tuple[Any, ...]) -> bool:
        for get, size, limit in tests:  # noqa: SIM110 - a generator would double the cost
            if sum(map(size, get(values))) > limit:
                return False
        return True

    return is_small


def _tuple_getter(keys: Any) -> Callable[[Any], tuple[Any, ...]]:
    if len(keys) == 1:
        (key,) = keys
        return lambda container: (container[key],)
    return operator.itemgetter(*keys)


_shapes: dict[int, tuple[Shape, "weakref.ref[type]"]] = {}


def shape_of(cls: type) -> Shape:
    """What is known of *cls*; found out at the first call."""
    known = _shapes.get(id(cls))
    if known is not None:
        return known[0]
    shape, key = Shape(cls), id(cls)
    _shapes[key] = (shape, weakref.ref(cls, lambda _: _shapes.pop(key, None)))
    return shape


def _options(cls: type) -> Any:
    """``Model._meta``, None when *cls* is not a model."""
    base = sys.modules.get("django.db.models.base")
    if base is None or base.ModelBase not in mro_of(type(cls)):
        return None
    return type.__getattribute__(cls, "__dict__").get("_meta")


def dotted_name(cls: type) -> str:
    """The class's module and qualified name; "builtins." is left out."""
    module, name = _module_of(cls), _qualname_of(cls)
    if type(module) is not str:
        return str.__str__(name)
    return name if module == "builtins" else f"{module}.{name}"


#: What may be told of objects that are not plain data: attributes from the instance's ``__dict__``.
_REVEALED: dict[str, tuple[str, ...]] = {
    "django.http.request.HttpRequest": ("method",),
    "django.template.base.Template": ("name",),
    "django.db.backends.base.base.BaseDatabaseWrapper": ("alias",),
    "django.apps.config.AppConfig": ("label",),
    "django.db.migrations.migration.Migration": ("app_label", "name"),
    "django.tasks.base.TaskResult": ("id", "status"),
}


def _revealed(cls: type) -> tuple[str, ...]:
    return next((_REVEALED[name] for name in map(dotted_name, mro_of(cls)) if name in _REVEALED), ())


def _plain_types() -> frozenset[type]:
    import datetime
    import uuid

    return frozenset(
        {
            type(None),
            bool,
            int,
            float,
            str,
            bytes,
            Decimal,
            datetime.date,
            datetime.datetime,
            datetime.time,
            datetime.timedelta,
            uuid.UUID,
        }
    )


#: Immutable, without code of the project's in them.
PLAIN = _plain_types()
