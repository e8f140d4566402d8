"""Which transaction a send is made in, and how that ends.

Watched through Django's own connection methods (woven, see :mod:`livesignals.capture.weaving`): no query, no
``on_commit`` callback, which a project's tests would see. A transaction or savepoint is open on one thread; all here is
on that thread.

A savepoint that is released shares the fate of what is around it; one that is rolled back has met its own.
"""

import ast
import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from livesignals.capture.weaving import CannotWeave, after, at_end, exchange

logger = logging.getLogger("livesignals")


class Transaction(Struct, eq=False):
    """An open transaction or savepoint."""

    db: str
    number: int
    savepoint: str | None = None
    state: str = "pending"
    was_told: bool = False  # an event has said "pending": the outcome has to follow
    is_used: bool = False
    released: "list[Transaction]" = []  # savepoints that share its fate


class Outcome(Struct, frozen=True):
    """How a transaction ended that an event called pending."""

    number: int
    state: str


Stack = list[Transaction]


class _Open(threading.local):
    def __init__(self) -> None:
        self.stacks: dict[str, Stack] = {}


_open = _Open()
_numbers = itertools.count(1)
_tell: Callable[[Outcome], None] = lambda outcome: None  # noqa: E731 - until one is given


def set_outcome_sink(tell: Callable[[Outcome], None]) -> None:
    """What takes outcomes. Called on the project's thread: it must not block."""
    global _tell
    _tell = tell


def current(named: dict[str, Any]) -> Transaction | None:
    """The innermost open transaction that a send with these arguments is made in."""
    stacks = _open.stacks
    if not stacks:
        return None
    using = named.get("using")
    stack = stacks.get(using) if type(using) is str else next(iter(stacks.values()))
    if not stack:
        return None
    transaction = stack[-1]
    transaction.is_used = True
    return transaction


def attach() -> None:
    """Watch the database connections."""
    from django.db.backends.base.base import BaseDatabaseWrapper

    methods = vars(BaseDatabaseWrapper)
    for name, edit in _EDITS.items():
        function = getattr(methods[name], "__wrapped__", methods[name])  # async_unsafe wraps it
        try:
            exchange(function, edit, _HOOKS)
        except CannotWeave as reason:
            logger.debug("livesignals: %s; how transactions end is not told", reason)


# Hooks


def _guarded(hook: Callable[..., None]) -> Callable[..., None]:
    def guarded(*args: Any) -> None:
        try:
            hook(*args)
        except Exception:
            logger.exception("livesignals lost track of a transaction")

    return guarded


@_guarded
def _autocommit_set(connection: Any, autocommit: bool) -> None:
    if not autocommit:
        _open.stacks[connection.alias] = [Transaction(connection.alias, next(_numbers))]
        return
    for transaction in _open.stacks.pop(connection.alias, ()):
        _resolve(transaction, "unknown")


@_guarded
def _ended(connection: Any, state: str) -> None:
    stack = _open.stacks.get(connection.alias)
    if not stack:
        return
    for transaction in stack:
        _resolve(transaction, state)
    # Until autocommit is set, what follows is another transaction.
    stack[:] = [Transaction(connection.alias, next(_numbers))]


@_guarded
def _savepoint_made(connection: Any, savepoint: str | None) -> None:
    stack = _open.stacks.get(connection.alias)
    if savepoint is not None and stack is not None:
        stack.append(Transaction(connection.alias, next(_numbers), savepoint))


@_guarded
def _savepoint_rolled_back(connection: Any, savepoint: str) -> None:
    stack, index = _find(connection, savepoint)
    if index:
        for transaction in stack[index:]:
            _resolve(transaction, "rolled_back")
        # The savepoint itself stays until it is released.
        stack[index:] = [Transaction(connection.alias, next(_numbers), savepoint)]


@_guarded
def _savepoint_released(connection: Any, savepoint: str) -> None:
    stack, index = _find(connection, savepoint)
    if index:
        stack[index - 1].released += [
            transaction for transaction in stack[index:] if transaction.is_used or transaction.released
        ]
        del stack[index:]


@_guarded
def _closed(connection: Any) -> None:
    for transaction in _open.stacks.pop(connection.alias, ()):
        _resolve(transaction, "rolled_back")


def _find(connection: Any, savepoint: str) -> tuple[Stack, int]:
    stack = _open.stacks.get(connection.alias, [])
    return stack, next((i for i, transaction in enumerate(stack) if transaction.savepoint == savepoint), 0)


def _resolve(transaction: Transaction, state: str) -> None:
    waiting = [transaction]
    while waiting:
        resolved = waiting.pop()
        waiting += resolved.released
        # The describer sets was_told and then reads the state: one of the two sees what the other did.
        resolved.state = state
        if resolved.was_told:
            _tell(Outcome(resolved.number, state))


def _is_autocommit_assigned(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "self.autocommit"


_HOOKS: dict[str, Callable[..., None]] = {
    "autocommit_set": _autocommit_set,
    "ended": _ended,
    "savepoint_made": _savepoint_made,
    "savepoint_rolled_back": _savepoint_rolled_back,
    "savepoint_released": _savepoint_released,
    "closed": _closed,
}
_EDITS = {
    # Not at its end: on_commit callbacks run there, when the transaction is over.
    "set_autocommit": after(_is_autocommit_assigned, "autocommit_set(self, autocommit)", _HOOKS),
    "commit": at_end("ended(self, 'committed')", _HOOKS),
    "rollback": at_end("ended(self, 'rolled_back')", _HOOKS),
    "savepoint": at_end("savepoint_made(self, result)", _HOOKS),
    "savepoint_rollback": at_end("savepoint_rolled_back(self, sid)", _HOOKS),
    "savepoint_commit": at_end("savepoint_released(self, sid)", _HOOKS),
    "close": at_end("closed(self)", _HOOKS),
}
