"""Names and layouts of the project's classes, found once for each class and without asking the class.

A class can lie about itself (metaclasses, ``__class__``, properties), so everything is read through ``type``'s own
descriptors. Classes are compared by identity, or by ``issubclass`` with a class that has no metaclass: hashing, ``==``
and ``in`` would run the metaclass's code. Classes are held weakly: one that dies takes its entry along, before its id
can be used again.
"""

import operator
import sys
import weakref
from collections.abc import Callable
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any

_module_of = type.__dict__["__module__"].__get__
_qualname_of = type.__dict__["__qualname__"].__get__
mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
class_dict_of: Callable[[type], Any] = type.__dict__["__dict__"].__get__
dict_of = object.__getattribute__

MAX_NAME_CHARS = 200


class Shape:
    """What is known of a class."""

    __slots__ = ("_class", "attnames", "get", "is_model", "label", "name", "pk_attnames", "plans", "revealed", "state")

    def __init__(self, cls: type, when_gone: Callable[[Any], None]) -> None:
        self._class = weakref.ref(cls, when_gone)
        self.label = self.name = dotted_name(cls)
        self.revealed = _revealed(cls)
        options = options_of(cls)
        self.is_model = options is not None
        if options is not None:
            self.label = f"{_clean(options.app_label)}.{_clean(options.object_name)}"
        self.attnames: tuple[str, ...] = ()
        self.pk_attnames: tuple[str, ...] = ()
        #: from an instance's ``__dict__`` to its fields' values; None until the fields are learnt
        self.get: Callable[[dict[str, Any]], tuple[Any, ...]] | None = None
        #: an instance's ``__dict__``, whatever property of that name the class has
        self.state: Callable[[Any], Any] | None = None
        #: what looks at the values that :attr:`get` gives: :mod:`.freeze`'s
        self.plans: tuple[Any, ...] = ()

    def learn_fields(self) -> bool:
        """Find out which fields the model has; False while models are still being loaded, and for other classes."""
        cls = self._class()
        options = options_of(cls) if cls is not None else None
        if options is None or options.abstract or not options.apps.models_ready:
            return False
        pk_fields = getattr(options, "pk_fields", None) or [options.pk]
        self.pk_attnames = tuple(map(_attname, pk_fields))
        self.attnames = tuple(map(_attname, options.concrete_fields))
        self.state = dict_descriptor(sys.modules["django.db.models.base"].Model).__get__
        self.get = tuple_getter(self.attnames)
        return True


def _attname(field: Any) -> str:
    return str.__str__(dict_of(field, "__dict__")["attname"])


def tuple_getter(keys: tuple[Any, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """From a dict or sequence to the values under *keys*, one or more."""
    if len(keys) == 1:
        (key,) = keys
        return lambda values: (values[key],)
    return operator.itemgetter(*keys)


#: By id of the class.
shapes: dict[int, Shape] = {}


def shape_of(cls: type) -> Shape:
    """What is known of *cls*; found out at the first call."""
    key = id(cls)
    shape = shapes.get(key)
    if shape is None:
        shape = shapes[key] = Shape(cls, lambda _, forget=shapes.pop: forget(key, None))  # type: ignore[misc]
    return shape


def options_of(cls: type) -> Any:
    """``Model._meta``; None when *cls* is not a model."""
    model = getattr(sys.modules.get("django.db.models.base"), "Model", None)  # None: it is being imported
    if model is None or not type.__subclasscheck__(model, cls):
        return None
    options = class_dict_of(cls).get("_meta")
    is_real = issubclass(type(options), sys.modules["django.db.models.options"].Options)
    return options if is_real else None


def dict_descriptor(cls: type) -> Any:
    """Python's own descriptor of ``__dict__`` for instances of *cls*; None when they have none."""
    for base in mro_of(cls):
        descriptor = class_dict_of(base).get("__dict__")
        # The second is that of modules.
        if type(descriptor) is GetSetDescriptorType or type(descriptor) is MemberDescriptorType:
            return descriptor
    return None


def slot_of(value: Any, cls: type, name: str) -> Any:
    """What the instance keeps in ``__slots__`` under *name*; :class:`AttributeError` when there is nothing."""
    for base in mro_of(cls):
        descriptor = class_dict_of(base).get(name)
        if type(descriptor) is MemberDescriptorType:
            return descriptor.__get__(value)
    raise AttributeError(name)


def dotted_name(cls: type) -> str:
    """The class's module and qualified name, as valid UTF-8 of at most 200 characters; "builtins." is left out."""
    try:
        module = _module_of(cls)
    except AttributeError:  # it was deleted
        module = None
    return joined_name(module, _qualname_of(cls))


def joined_name(module: Any, qualname: str) -> str:
    """The dotted name of a class or function. Its ``__module__`` may be any object."""
    name = _clean(qualname)
    if type(module) is not str or module == "builtins":
        return name
    return _clean(f"{module}.{name}")


def _clean(name: str) -> str:
    """A plain string with no lone surrogate, whatever subclass it was of."""
    return str.__str__(name)[:MAX_NAME_CHARS].encode("utf-8", "replace").decode()


#: What may be told of objects that are not plain data: attributes from the instance's ``__dict__`` or slots.
_REVEALED: dict[str, tuple[str, ...]] = {
    "django.http.request.HttpRequest": ("method",),
    "django.template.base.Template": ("name",),
    "django.db.backends.base.base.BaseDatabaseWrapper": ("alias",),
    "django.db.models.fields.files.FieldFile": ("name",),
    "django.apps.config.AppConfig": ("label",),
    "django.db.migrations.migration.Migration": ("app_label", "name"),
    "django.tasks.base.TaskResult": ("id", "status"),
}


def _revealed(cls: type) -> tuple[str, ...]:
    return next((_REVEALED[name] for name in map(dotted_name, mro_of(cls)) if name in _REVEALED), ())
