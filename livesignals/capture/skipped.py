"""Sends that Django leaves out because nobody is connected, seen where it has deleted or added rows all the same.

Django asks ``has_listeners`` in other places too, without deleting or adding anything; those are no skipped sends.
So it is the deleting and adding that is watched (woven, see :mod:`livesignals.capture.weaving`), with the number of
rows that the database says it was.
"""

import ast
import logging
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

from livesignals.capture import sends
from livesignals.capture.weaving import CannotWeave, after, exchange

logger = logging.getLogger("livesignals")

#: Frames between the INSERT of bulk_create and the relation's ``add``.
_FRAMES_TO_ADD = 16


def attach() -> None:
    """Watch deletions, and rows that are added to many-to-many relations."""
    from django.db.models.deletion import Collector
    from django.db.models.sql.compiler import SQLInsertCompiler

    for cls, name, edit in (
        (Collector, "delete", _delete_edit),
        (SQLInsertCompiler, "execute_sql", after(_is_execute, "inserted(self, cursor)", _HOOKS)),
    ):
        function = vars(cls)[name]
        assert isinstance(function, FunctionType)
        try:
            exchange(function, edit, _HOOKS)
        except CannotWeave as reason:
            logger.debug("livesignals: %s; skipped sends are not told", reason)


def _delete_edit(definition: Any) -> None:
    after(lambda s: _assigns_count(s, "_raw_delete"), "deleted(qs.model, self.using, None, count)", _HOOKS)(definition)
    # A single object without dependencies; elsewhere in the method delete_batch goes with sends.
    single = "deleted(model, self.using, instance, count)"
    after(lambda s: isinstance(s, ast.With) and _assigns_count(s.body[-1], "delete_batch"), single, _HOOKS)(definition)


def _assigns_count(statement: ast.stmt, method: str) -> bool:
    return (
        isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Attribute)
        and statement.value.func.attr == method
    )


def _is_execute(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and ast.unparse(statement.value).startswith("cursor.execute(")


# Hooks


def _deleted(model: Any, using: str, instance: Any, count: int) -> None:
    try:
        from django.db.models.signals import post_delete

        if count and not model._meta.auto_created and not post_delete.has_listeners(model):
            named: dict[str, Any] = {"rows": count, "using": using}
            sends.skip(post_delete, model, named if instance is None else {"instance": instance, **named})
    except Exception:
        logger.exception("livesignals could not tell of a skipped send")


def _inserted(compiler: Any, cursor: Any) -> None:
    try:
        model = compiler.query.model
        if not model._meta.auto_created or not _is_adding():
            return
        from django.db.models.signals import m2m_changed

        if cursor.rowcount > 0 and not m2m_changed.has_listeners(model):
            using = compiler.connection.alias
            sends.skip(m2m_changed, model, {"action": "post_add", "rows": cursor.rowcount, "using": using})
    except Exception:
        logger.exception("livesignals could not tell of a skipped send")


def _is_adding() -> bool:
    """Whether a relation's ``add`` is what inserts: nothing is skipped when the table is written to directly."""
    frame = sys._getframe(2)
    for _ in range(_FRAMES_TO_ADD):
        if frame.f_code.co_name == "_add_items" and frame.f_code.co_filename.endswith("related_descriptors.py"):
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


_HOOKS: dict[str, Callable[..., None]] = {"deleted": _deleted, "inserted": _inserted}
