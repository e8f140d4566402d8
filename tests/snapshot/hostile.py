"""Random object graphs that do everything a project's objects must not be asked to do.

Every class here sets traps: special methods, properties and metaclass methods that note the call and then raise or lie.
They do so only while armed; before, when graphs are built, they behave.
"""

import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import random
import types
import uuid
import weakref
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.models import Group, User
from django.db import models
from django.db.models.base import ModelBase
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

#: What was called while the traps were armed.
calls: list[str] = []
_armed = False


class Trapped(Exception):
    """A trap was stepped into."""


@contextmanager
def armed() -> Iterator[None]:
    """Nothing of the classes here may be called in the block."""
    global _armed
    _armed = True
    try:
        yield
    finally:
        _armed = False


#: Python's own descriptor of the `__dict__` of model instances.
STATE: Any = next(vars(base)["__dict__"] for base in models.Model.__mro__ if "__dict__" in vars(base))
METHODS = (
    "__getattribute__ __repr__ __str__ __format__ __eq__ __ne__ __lt__ __hash__ __bool__ __len__ __iter__ __next__ "
    "__getitem__ __contains__ __call__ __index__ __int__ __float__ __reduce__ __reduce_ex__ __sizeof__ __copy__ "
    "__deepcopy__ __bytes__ __add__ __radd__ __mod__ __dir__ __length_hint__ __missing__ __instancecheck__ "
    "__subclasscheck__ __getattr__ __setattr__ __delattr__ __fspath__ __await__ __aiter__ __enter__ __complex__ keys "
    "items values isoformat utcoffset encode decode bit_length as_tuple hex copy startswith casefold"
).split()
PROPERTIES = "__class__ __dict__ __doc__ __module__ _meta pk id name args __wrapped__ __self__ tzinfo int value".split()
LIES = (None, True, -1, "a lie", NotImplemented, (), 2**70, float("nan"))


@functools.cache
def _trap(name: str, base: type, lie: Any) -> Callable[..., Any]:
    behaves = _BEHAVIOUR.get((name, issubclass(base, type))) or getattr(base, name, None)

    def trap(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _armed:
            calls.append(f"{base.__name__}.{name}")
            if lie is Trapped:
                raise Trapped(name)
            return lie
        if not callable(behaves):
            raise AttributeError(name)
        return behaves(self, *args, **kwargs)

    return trap


#: What cannot be had from the base class by its name.
_BEHAVIOUR: dict[tuple[str, bool], Any] = {
    ("__class__", False): type,
    ("__class__", True): type,
    ("__dict__", False): lambda thing: STATE.__get__(thing) if isinstance(thing, models.Model) else {},
    ("__dict__", True): type.__dict__["__dict__"].__get__,
}


def _traps(rng: random.Random, base: type, is_metaclass: bool = False) -> dict[str, Any]:
    lie = rng.choice((Trapped, Trapped, *LIES))
    traps: dict[str, Any] = {name: _trap(name, base, lie) for name in METHODS if rng.random() < 0.6}
    for name in PROPERTIES:
        if rng.random() < 0.3:
            traps[name] = property(_trap(name, base, lie))
    if is_metaclass:
        for name in ("__call__", "__module__", "__doc__", "_meta"):  # making a class, and Django's models, need these
            traps.pop(name, None)
    return traps


class Colour(enum.Enum):
    """An enumeration."""

    RED = 1


class Size(enum.IntFlag):
    """One whose members are numbers."""

    SMALL = 1
    LARGE = 2


class Status(models.TextChoices):
    """One whose members are texts."""

    PAID = "paid"


Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class Address:
    """A dataclass."""

    street: Any


class Everything(models.Model):
    """A model with a field of each kind that matters here."""

    text = models.TextField()
    number = models.IntegerField()
    ratio = models.FloatField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    code = models.UUIDField()
    blob = models.BinaryField()
    day = models.DateField()
    moment = models.DateTimeField()
    data = models.JSONField()
    upload = models.FileField()
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")

    class Meta:
        app_label = "hostile"
        apps = Apps()

    def __str__(self) -> str:
        return f"{self.user.username} {self.pk}"  # a query


HUGE_TEXT = "a\N{SNOWMAN}" * 500_000
HUGE_BYTES = b"\xff\0" * 500_000
HUGE_INT = 10**5_000
HUGE_DECIMAL = decimal.Decimal("9" * 20_000)
SHORT_TEXTS = ("", "\ud800", "a\0b", "\udfff\ud800\0", "•" * 30, "a" * 24)
LONG_TEXTS = ("•" * 1_025, "x" * 1_024, "\N{PILE OF POO}" * 900, "\ud800" * 1_000, HUGE_TEXT)
PLAIN_BASES: tuple[type, ...] = (str, int, float, bytes, list, dict, tuple, set, frozenset, bytearray)
OTHER_BASES: tuple[type, ...] = (
    object, Exception, datetime.datetime, datetime.date, datetime.timedelta, datetime.tzinfo, decimal.Decimal,
    uuid.UUID, collections.OrderedDict, collections.deque, types.SimpleNamespace,
)  # fmt: skip


class Graphs:
    """Makes graphs, and remembers what must not outlive them and what must not change in them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.watched: list[weakref.ref[Any]] = []
        self.mutable: list[Any] = []
        self._made = 0
        self._apps = Apps()  # models that nobody else is to meet
        self._classes = [self._new_class() for _ in range(200)]
        self._keys = [type("Key", (), _hashable(_traps(self.rng, object))) for _ in range(30)]
        self._names = [type("Name", (str,), _hashable(_traps(self.rng, str))) for _ in range(30)]
        self._zones = [type("Zone", (datetime.tzinfo,), _traps(self.rng, datetime.tzinfo)) for _ in range(30)]
        self._models = [self._new_model() for _ in range(12)]
        self._leaves: list[Callable[[], Any]] = [
            lambda: self.rng.choice((None, True, False, 0, 7, -(2**63), 2**63, 2**64, 2**200, HUGE_INT, -HUGE_INT)),
            lambda: self.rng.choice((0.0, -0.0, 1e308, float("nan"), float("inf"), float("-inf"), 3 + 4j, ...)),
            self._text,
            lambda: self.rng.choice((b"", b"\0", b"plain", b"\xff" * 64, HUGE_BYTES, bytearray(9), memoryview(b"m"))),
            lambda: self.rng.choice((decimal.Decimal("1e999999"), decimal.Decimal("sNaN"), HUGE_DECIMAL)),
            lambda: self.rng.choice((Colour.RED, Size.SMALL | Size.LARGE, Status.PAID, mark_safe("<b>"))),
            lambda: gettext_lazy("lazy"),
            self._moment,
            self._uuid,
            self._instance_of_a_class,
            self._instance_of_a_class,
            self._instance_of_a_class,
            self._model,
            self._model,
            self._lazy,
            self._callable,
            lambda: self.rng.choice(self._classes),
        ]

    def graph(self) -> dict[str, Any]:
        """The arguments of one send."""
        rng = self.rng
        count = rng.choice((0, 1, 1, 2, 2, 3, 4)) if rng.random() < 0.98 else rng.choice((17, 40, 300))
        return {self._name(): self._value(0) for _ in range(count)}

    def fingerprint(self) -> list[tuple[int, ...]]:
        """What the mutable things in the graph hold, by identity."""
        return [content(thing) for thing in self.mutable]

    def forget(self) -> None:
        """A graph is done with."""
        self.mutable.clear()

    def _name(self) -> str:
        rng = self.rng
        if rng.random() < 0.9:
            return rng.choice(("instance", "created", "environ", "scope", "value", "using", f"argument{rng.random()}"))
        odd = rng.choice((*SHORT_TEXTS, "long" * 100, "x\ud800"))
        if rng.random() < 0.5:
            return odd
        name: str = self._watch(str.__new__(rng.choice(self._names), f"{odd[:40]}{rng.random()}"))
        return name

    def _value(self, depth: int) -> Any:
        rng = self.rng
        if depth > 7 or rng.random() < 0.55 + depth * 0.05:
            return rng.choice(self._leaves)()
        size = rng.choice((0, 1, 1, 2, 2, 3)) if rng.random() < 0.99 else rng.choice((33, 70))
        kind = rng.randrange(12)
        if kind < 4:
            made: Any = self._mutable([self._value(depth + 1) for _ in range(size)])
            if rng.random() < 0.2:
                made.append(made)
            return made
        if kind < 8:
            made = self._mutable({self._key(): self._value(depth + 1) for _ in range(size)})
            if rng.random() < 0.2:
                made["self"] = made
            if rng.random() < 0.05:
                made.update({"REQUEST_METHOD": self._value(depth + 1), "PATH_INFO": HUGE_TEXT, "SECRET": "x"})
            return made
        if kind == 8:
            return tuple(self._value(depth + 1) for _ in range(size))
        if kind == 9:
            return self._mutable({self._key() for _ in range(size)})
        if kind == 10:
            deep: Any = self._value(7)
            for _ in range(rng.choice((5, 50))):
                deep = [deep]
            return deep
        return rng.choice((
            lambda: Point(self._value(depth + 1), 2),
            lambda: Address(self._value(depth + 1)),
            lambda: collections.deque([self._value(depth + 1)]),
            lambda: collections.OrderedDict(a=self._value(depth + 1)),
            lambda: collections.defaultdict(list, a=self._value(depth + 1)),
            lambda: frozenset([self._key()]),
            lambda: range(10**9),
            lambda: (x for x in [self._value(depth + 1)]),
            lambda: iter([self._value(depth + 1)]),
            lambda: ValueError(self._value(depth + 1)),
        ))()  # fmt: skip

    def _key(self) -> Any:
        rng = self.rng
        kind = rng.randrange(8)
        if kind < 3:
            return f"key{rng.random()}"
        if kind == 3:
            return self._text()
        if kind == 4:
            return rng.choice(
                (None, True, 7, 2**70, float("nan"), b"\xff", Colour.RED, ("a", ("b",)), uuid.UUID(int=1))
            )
        if kind == 5:
            return next(cls for cls in rng.choices(self._classes, k=99) if type(cls).__hash__ is not None)
        return self._watch(object.__new__(rng.choice(self._keys)))

    def _text(self) -> str:
        return self.rng.choice(LONG_TEXTS if self.rng.random() < 0.07 else SHORT_TEXTS)

    def _moment(self) -> Any:
        zone = self._watch(datetime.tzinfo.__new__(self.rng.choice(self._zones)))
        name = self._watch(str.__new__(self.rng.choice(self._names), "name"))
        named = datetime.timezone(datetime.timedelta(hours=1), name)
        zones = (None, datetime.UTC, zone, named, zoneinfo.ZoneInfo("Europe/Oslo"))
        moment = self.rng.choice((datetime.datetime.min, datetime.datetime.max, datetime.datetime(2026, 1, 2, 3)))
        zoned = moment.replace(tzinfo=self.rng.choice(zones))
        return self.rng.choice((zoned, zoned, zoned.timetz(), zoned.date(), datetime.timedelta.max))

    def _uuid(self) -> Any:
        made = uuid.UUID.__new__(uuid.UUID)  # half built
        kind = self.rng.randrange(4)
        if kind == 1:
            object.__setattr__(made, "int", self._instance_of_a_class())
            object.__setattr__(made, "is_safe", uuid.SafeUUID.unknown)
        elif kind == 2:
            object.__setattr__(made, "int", 7)
            object.__setattr__(made, "is_safe", self._instance_of_a_class())
        elif kind == 3:
            made = uuid.uuid4()
        return made

    def _lazy(self) -> Any:
        def evaluate() -> Any:
            if _armed:
                calls.append("a lazy object was evaluated")
            return User()

        everything: Any = Everything
        return self.rng.choice((
            lambda: SimpleLazyObject(evaluate),
            User.objects.all,
            lambda: User.objects.filter(pk=1).values("pk"),
            lambda: everything(user_id=7).user_id,
            lambda: User(pk=7).groups,
            lambda: User.objects,
        ))()  # fmt: skip

    def _callable(self) -> Any:
        held = self._instance_of_a_class()
        return self.rng.choice((lambda: held, functools.partial(print, held), held.__init_subclass__, print, types))

    def _model(self) -> Any:
        rng = self.rng
        cls = rng.choice((User, Everything, Group, *self._models))
        kind = rng.randrange(5)
        if kind == 0:
            return self._watch(cls.__new__(cls))
        if kind == 1:
            return self._watch(cls.from_db("default", ["id"], [7]))
        made = cls.__new__(cls)
        state: dict[str, Any] = dict.fromkeys((field.attname for field in cls._meta.concrete_fields), 7)
        if kind > 2:
            for name in rng.sample(sorted(state), min(len(state), rng.choice((1, 3, 9)))):
                state[name] = rng.choice(self._leaves[:9])() if rng.random() < 0.6 else self._value(6)
        if kind == 4 and rng.random() < 0.3:
            state = type("State", (dict,), _traps(rng, dict))(state)
        object.__setattr__(made, "__dict__", state) if cls in (User, Everything, Group) else STATE.__set__(made, state)
        return self._watch(self._mutable(made))

    def _instance_of_a_class(self) -> Any:
        cls = self.rng.choice(self._classes) if self.rng.random() < 0.97 else self._watch(self._new_class())
        base = next(b for b in type.__dict__["__mro__"].__get__(cls) if b in PLAIN_BASES or b in OTHER_BASES)
        made = _ARGUMENTS.get(base, base.__new__)(cls)
        if base in (list, collections.deque):
            base.append(made, made)
        elif base in (dict, collections.OrderedDict):
            dict.__setitem__(made, "self", made)
        return self._watch(made)

    def _new_class(self) -> Any:
        rng = self.rng
        base = rng.choice(PLAIN_BASES if rng.random() < 0.5 else OTHER_BASES)
        namespace = _traps(rng, base)
        if rng.random() < 0.2:
            namespace = {"__slots__": ("a", "b") if base not in (int, bytes, tuple) else (), **namespace}
            namespace.pop("__dict__", None)
        metaclass: Any = type
        if rng.random() < 0.5:
            metaclass = type("Meta", (type,), _traps(rng, type, is_metaclass=True))
        self._made += 1
        cls = metaclass(f"Hostile{self._made}", (base,), namespace)
        if rng.random() < 0.1:
            type.__setattr__(cls, "__qualname__", rng.choice(("\ud800", "q" * 5_000, type("Q", (str,), {})("sub"))))
        return cls

    def _new_model(self) -> Any:
        rng = self.rng
        self._made += 1
        of_class, of_metaclass = _traps(rng, models.Model), _traps(rng, ModelBase, is_metaclass=True)
        metaclass: Any = type("MetaModel", (ModelBase,), _special(of_metaclass))
        options = type("Meta", (), {"app_label": "hostile", "apps": self._apps})
        namespace = {"__module__": __name__, "Meta": options, "name": models.TextField(), **_special(of_class)}
        model = metaclass(f"Model{self._made}", (models.Model,), namespace)
        # The others once it is made: Django itself asks a model a lot.
        for cls, traps in ((model, of_class), (metaclass, of_metaclass)):
            for name in traps.keys() - {"_meta", "id", "pk", "name", "__module__", "__dict__", "__class__"}:
                type.__setattr__(cls, name, traps[name])
        return model

    def _mutable(self, thing: Any) -> Any:
        self.mutable.append(thing)
        return thing

    def _watch(self, thing: Any) -> Any:
        with suppress(TypeError):  # of a kind that cannot be watched
            self.watched.append(weakref.ref(thing))
        return thing


_ARGUMENTS: dict[type, Callable[[Any], Any]] = {
    datetime.datetime: lambda cls: datetime.datetime.__new__(cls, 2026, 1, 2),
    datetime.date: lambda cls: datetime.date.__new__(cls, 2026, 1, 2),
    str: lambda cls: str.__new__(cls, "a text \ud800 in a coat"),
    int: lambda cls: int.__new__(cls, 10**400),
    float: lambda cls: float.__new__(cls, "nan"),
    bytes: lambda cls: bytes.__new__(cls, b"\xff" * 2_000),
}


def _special(traps: dict[str, Any]) -> dict[str, Any]:
    """Those that a class has from its beginning or never."""
    return {name: traps[name] for name in ("__dict__", "__class__") if name in traps}


def _hashable(traps: dict[str, Any]) -> dict[str, Any]:
    return {**traps, "__hash__": _trap("__hash__", object, 7), "__eq__": _trap("__eq__", object, True)}


def content(thing: Any) -> tuple[int, ...]:
    cls = type(thing)
    if cls is list or cls is set:
        return tuple(map(id, thing))
    if cls is not dict:
        thing = STATE.__get__(thing)
    return tuple(number for key, value in dict.items(thing) for number in (id(key), id(value)))
