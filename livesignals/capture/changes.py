"""Which fields of an instance differ from what was loaded or last saved, known without a query.

The values are remembered in a weak reference to the instance: nothing is written to it, to its ``_state`` or its class,
and it is neither hashed nor compared. They come from Django's own ``from_db`` and
``refresh_from_db`` (woven, see :mod:`livesignals.capture.weaving`) and from the snapshots of saves. All here is on the
project's thread; comparing is the flusher's work (:mod:`.differences`).

What is known is what this instance has read or written, whatever became of the transaction: when that is rolled back,
the event says so. What ``update()`` and ``bulk_update()`` write is not seen. Of fields without values that are plain
in every database (JSON, ranges, those with a ``from_db_value``) nothing is known.
"""

import ast
import logging
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import Any

from livesignals.capture import signals
from livesignals.capture.columns import Columns, columns_of, known_columns
from livesignals.capture.differences import COMPARABLE, UNKNOWN, Before
from livesignals.capture.weaving import CannotWeave, Edit, after, at_end, exchange
from livesignals.snapshot.freeze import Instance, Partial

logger = logging.getLogger("livesignals")

#: So many live instances are remembered; of rows loaded beyond that nothing is known, and they cost next to nothing.
MAX_INSTANCES = 4_096
_SIGNALS = ("django.db.models.signals.pre_save", "django.db.models.signals.post_save")


def attach() -> None:
    """Remember what is loaded, unless neither ``pre_save`` nor ``post_save`` is recorded."""
    if not any(map(signals.is_recorded, _SIGNALS)):
        return
    from django.db.models.base import Model

    methods = vars(Model)
    _weave(methods["from_db"].__func__, _LOADED_EDIT)
    _weave(methods["refresh_from_db"], _REFRESHED_EDIT)


def _weave(function: FunctionType, edit: Edit) -> None:
    try:
        exchange(function, edit, _HOOKS)
    except CannotWeave as reason:
        logger.debug("livesignals: %s; what a save changes is not told", reason)


def forget_all() -> None:
    """Nothing is known of any instance."""
    _alive.clear()
    known_columns.clear()


# What is known of instances


class _Known(weakref.ref[Any]):
    """The values of an instance, while it lives; it hangs on the instance. During a save, what they were before."""

    __slots__ = ("values",)
    values: tuple[Any, ...] | Before
    __hash__ = object.__hash__  # by identity: a weak reference would ask its instance
    __eq__ = object.__eq__


#: Keeps the references alive; each goes when its instance does.
_alive: set[_Known] = set()


def _remember(instance: Any, values: tuple[Any, ...] | Before) -> None:
    known = _Known(instance, _alive.discard)
    known.values = values
    _alive.add(known)


def _find(instance: Any) -> _Known | None:
    for reference in weakref.getweakrefs(instance):
        if type(reference) is _Known:
            return reference
    return None


def _report() -> None:
    """An error of ours: logged, never raised into the project."""
    logger.exception("livesignals lost track of what an instance held")  # noqa: LOG004 - called in an except block


# Hooks in Django's methods


def _loaded(instance: Any, values: Any) -> None:
    try:  # written out, since it is for each row
        if len(_alive) < MAX_INSTANCES and (type(values) is list or type(values) is tuple):
            model = type(instance)
            columns = known_columns.get(id(model)) or columns_of(model)
            if columns is not None and columns.count != len(values):  # the model has got another field since
                columns = columns_of(model)
            if columns is not None:
                known = _Known(instance, _alive.discard)
                known.values = columns.choose(values)
                _alive.add(known)
    except Exception:
        _report()


def _refreshed(instance: Any, loaded: Any) -> None:
    """*loaded* is the instance from which ``refresh_from_db`` took the values; deferred fields were left alone."""
    try:
        from django.db.models.base import DEFERRED

        source, known = _find(loaded), _find(instance)
        if source is None or type(source.values) is not tuple or type(loaded) is not type(instance):
            if known is not None:
                _alive.discard(known)
        elif known is None:
            _remember(instance, source.values)
        elif type(known.values) is not tuple:  # a save is under way, or failed
            known.values = source.values
        else:
            both = zip(known.values, source.values, strict=True)
            known.values = tuple([old if new is DEFERRED else new for old, new in both])
    except Exception:
        _report()


# Hooks at signals: what their instance held before


def _at_pre_save(named: dict[str, Any], frozen: dict[str, Any]) -> Before | None:
    try:
        instance, now = named.get("instance"), frozen.get("instance")
        columns = _columns_of(instance, now)
        if columns is None:
            return None
        known = _find(instance)
        written = named.get("update_fields")
        if written is not None:
            written = _attnames(written, columns)
        if known is not None and type(known.values) is tuple:
            # It is not stored until post_save says so: a save that fails leaves nothing known.
            known.values = before = Before(columns.attnames, known.values, True, written)
            return before
        # Nothing to compare with; post_save will be compared with this.
        before = Before(columns.attnames, _present(now, columns), False, written)
        if known is not None:
            known.values = before
        else:
            if len(_alive) >= MAX_INSTANCES:  # of instances that live long, but are not those that are saved
                _alive.clear()
            _remember(instance, before)
    except Exception:
        _report()
    return None


def _at_post_save(named: dict[str, Any], frozen: dict[str, Any]) -> Before | None:
    try:
        instance, now = named.get("instance"), frozen.get("instance")
        known = _find(instance)
        columns = _columns_of(instance, now)
        if known is None or columns is None:
            return None
        if named.get("raw") is True:  # what belongs to the model's parents was not saved
            _alive.discard(known)
            return None
        before = known.values
        if type(before) is tuple:  # pre_save is not recorded
            written = named.get("update_fields")
            before = Before(columns.attnames, before, True, None if written is None else _attnames(written, columns))
        assert isinstance(before, Before)
        known.values = _stored(before, _present(now, columns))
    except Exception:
        _report()
        return None
    return before


def _columns_of(instance: Any, now: Any) -> Columns | None:
    if type(now) is not Instance and type(now) is not Partial:
        return None  # no model, or there was no room for it
    return known_columns.get(id(type(instance))) or columns_of(type(instance))


def _present(now: Any, columns: Columns) -> tuple[Any, ...]:
    if type(now) is Instance and len(now.values) == columns.count:
        return columns.choose(now.values)
    fields = now.fields if type(now) is Partial else dict(zip(now.shape.attnames, now.values, strict=True))
    values = [fields.get(attname, UNKNOWN) for attname in columns.attnames]
    return tuple([value if value.__class__ in COMPARABLE else UNKNOWN for value in values])


def _stored(before: Before, present: tuple[Any, ...]) -> tuple[Any, ...]:
    """What is known once *present* has been saved."""
    if before.written is None:
        return present
    stored = before.values if before.is_stored else [UNKNOWN] * len(present)
    fields = zip(before.attnames, stored, present, strict=True)
    return tuple([new if attname in before.written else old for attname, old, new in fields])


def _attnames(names: Any, columns: Columns) -> frozenset[str]:
    """``update_fields`` as attnames; of other fields the names as they are given."""
    if type(names) not in (frozenset, set, list, tuple):
        return frozenset()
    return frozenset([columns.attname_by_name.get(name, name) for name in map(str.__str__, names)])


# Wiring

_HOOKS: dict[str, Callable[..., Any]] = {"loaded": _loaded, "refreshed": _refreshed}
_LOADED_EDIT = at_end("loaded(result, values)", _HOOKS)
_REFRESHED_EDIT = after(
    lambda statement: ast.unparse(statement) == "self._state.db = db_instance._state.db",
    "refreshed(self, db_instance)",
    _HOOKS,
)
signals.BEFORE.update(zip(_SIGNALS, (_at_pre_save, _at_post_save), strict=True))
