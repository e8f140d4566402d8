"""The fields of a model of which is known that their values are plain and immutable. Found out once for each model."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from livesignals.snapshot.freeze import MAX_CHARS, Cut
from livesignals.snapshot.types import class_dict_of, dict_of, dotted_name, mro_of, options_of, tuple_getter

#: Django's own fields for which it and every database make plain immutable values.
_PLAIN_FIELDS = frozenset(
    """
    AutoField BigAutoField SmallAutoField IntegerField BigIntegerField SmallIntegerField PositiveIntegerField
    PositiveBigIntegerField PositiveSmallIntegerField BooleanField FloatField DecimalField CharField TextField
    SlugField GenericIPAddressField FileField FilePathField DateField DateTimeField TimeField DurationField UUIDField
    """.split()
)
_TEXT_FIELDS = frozenset(("CharField", "TextField"))
_REFERENCES = frozenset(("ForeignKey", "OneToOneField"))
#: A subclass that has one of these may make values of its own.
_CONVERSIONS = ("from_db_value", "get_db_converters", "get_col", "select_format", "db_type", "get_internal_type")
_MAX_REFERENCES = 8


class Columns(Struct, eq=False):
    """The plain fields of a model."""

    count: int  # of the model's concrete fields, plain or not
    attnames: tuple[str, ...]
    attname_by_name: dict[str, str]
    #: from the values of all concrete fields to those of ``attnames``
    choose: Callable[[Sequence[Any]], tuple[Any, ...]]
    reference: Any


#: By id of the model; an entry goes when its model does.
known_columns: dict[int, Columns] = {}


def columns_of(model: type) -> Columns | None:
    """The plain fields of a model, found out anew; None while models are being loaded."""
    options = options_of(model)
    if options is None or options.abstract or not options.apps.models_ready:
        return None
    fields = [dict_of(field, "__dict__") for field in options.concrete_fields]
    kinds = list(map(_kind, options.concrete_fields))
    chosen = tuple(index for index, kind in enumerate(kinds) if kind)
    choose: Any = tuple if all(kinds) else tuple_getter(chosen) if chosen else _nothing
    if "long" in kinds:
        choose = _with_short_texts(choose, tuple(n for n, index in enumerate(chosen) if kinds[index] == "long"))
    attnames = tuple(str.__str__(fields[index]["attname"]) for index in chosen)
    key = id(model)
    learnt = known_columns[key] = Columns(
        len(fields),
        attnames,
        {str.__str__(fields[index]["name"]): attname for index, attname in zip(chosen, attnames, strict=True)},
        choose,
        weakref.ref(model, lambda _: known_columns.pop(key, None)),
    )
    return learnt


def _nothing(values: Sequence[Any]) -> tuple[Any, ...]:
    return ()


def _kind(field: Any) -> str:
    """What its values are: "plain", "long" where a text may be too long to be kept, "" where they may be anything."""
    for _ in range(_MAX_REFERENCES):
        name, values = _django_field(type(field)), dict_of(field, "__dict__")
        if name in _TEXT_FIELDS:
            length = values["max_length"]  # of a TextField it binds only forms
            return "plain" if name == "CharField" and length is not None and length <= MAX_CHARS else "long"
        if name not in _REFERENCES:
            return "plain" if name else ""
        remote = dict_of(values["remote_field"], "__dict__")
        options = options_of(remote["model"])
        same = [f for f in options.concrete_fields if f.name == remote["field_name"]] if options is not None else []
        if not same:
            break
        (field,) = same
    return ""


def _django_field(cls: type) -> str:
    """The name of Django's own field class that this one is or leaves as it is; "" when it converts values."""
    for base in mro_of(cls):
        module, _, name = dotted_name(base).rpartition(".")
        if module.startswith("django.db.models.fields") and (name in _PLAIN_FIELDS or name in _REFERENCES):
            return name
        if any(conversion in class_dict_of(base) for conversion in _CONVERSIONS):
            return ""
    return ""


def _with_short_texts(choose: Any, at: tuple[int, ...]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """As *choose*, with the head only of long texts, so that none of them is kept."""

    def chosen(of_all: Sequence[Any]) -> tuple[Any, ...]:
        values: tuple[Any, ...] = choose(of_all)
        for index in at:
            value = values[index]
            if type(value) is str and len(value) > MAX_CHARS:
                values = (*values[:index], Cut(value[:MAX_CHARS], len(value)), *values[index + 1 :])
        return values

    return chosen
