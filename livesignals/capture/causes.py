"""What sends run inside, found out where Django begins and ends it. Everything here is on the project's thread.

A request begins and ends with its own signals; its route is read where Django resolves it. Commands and tests are
watched in the methods that run them (woven, see :mod:`livesignals.capture.weaving`). Celery has signals of its own.
"""

import logging
import sys
import weakref
from types import FunctionType, MemberDescriptorType
from typing import Any
from uuid import UUID

from livesignals.capture import scope, signals
from livesignals.capture.receivers import receiver_name
from livesignals.capture.weaving import CannotWeave, Edit, Hooks, around, at_end, exchange
from livesignals.snapshot.freeze import freeze_value
from livesignals.snapshot.types import class_dict_of, dict_descriptor, dotted_name, mro_of, shape_of, slot_of

logger = logging.getLogger("livesignals")


def attach() -> None:
    """Watch what is loaded now; requests once the first one comes. Idempotent."""
    signals.on_first_send("django.core.signals.request_started", _attach_to_requests)
    if "django.core.management.base" in sys.modules:
        from django.core.management.base import BaseCommand

        _weave(vars(BaseCommand)["execute"], _COMMAND_EDIT)
    if scope.PROCESS.kind == "test" and "pytest" not in sys.modules:
        from unittest import TestCase

        _weave(vars(TestCase)["run"], _TEST_EDIT)
    signals.on_any_first_send(_connect_to_celery)


def _attach_to_requests() -> None:
    from django.core.handlers.base import BaseHandler

    _weave(vars(BaseHandler)["resolve_request"], _RESOLVE_EDIT)


def _weave(function: FunctionType, edit: Edit) -> None:
    try:
        exchange(function, edit, _HOOKS)
    except CannotWeave as reason:
        logger.debug("livesignals: %s; causes are told less exactly", reason)


# Requests


def request_begins(named: dict[str, Any]) -> "scope.CauseScope | None":
    """The cause that ``request_started`` begins."""
    environ, asgi = named.get("environ"), named.get("scope")
    if type(environ) is dict:
        words = environ.get("REQUEST_METHOD"), environ.get("PATH_INFO")
    elif type(asgi) is dict:
        words = asgi.get("method"), asgi.get("path")
    else:
        return None
    return scope.enter("request", " ".join(word if type(word) is str else "" for word in words))


def request_ends(named: dict[str, Any]) -> None:
    """``request_finished`` is sent by the response's ``close``: its status, and whose request it was."""
    cause = scope.current.get().cause
    if cause.kind != "request":
        return
    cause.is_over = True
    response = sys._getframe(3).f_locals.get("self")  # this function, begin, send, close
    if _is_a(response, "HttpResponseBase"):
        cause.status = _status_of(response)
    request = cause.request() if cause.request is not None else None
    if request is not None:
        cause.user = _user_of(request)
        cause.request = None


def _is_a(value: Any, name: str) -> bool:
    return any(dotted_name(base).endswith(f".{name}") for base in mro_of(type(value)))


def _status_of(response: Any) -> int | None:
    """From the instance, or from the class that gives all its responses one status."""
    status = _stored(response, "status_code")
    return status if type(status) is int else None


def _user_of(request: Any) -> str | None:
    """The primary key of the user, if the project has asked for the user; no query, no property."""
    for name in ("user", "_cached_user", "_acached_user"):
        user = _stored(request, name)
        shape = shape_of(type(user))
        if shape.is_model and (shape.get is not None or shape.learn_fields()):
            key = freeze_value(_stored(user, shape.pk_attnames[0]))
            return str(key) if type(key) in (int, str, UUID) else None
    return None


def _stored(value: Any, name: str) -> Any:
    """What the instance, or else its class, holds under this name, no property asked; None when there is nothing."""
    cls = type(value)
    descriptor = dict_descriptor(cls)
    state = descriptor.__get__(value) if descriptor is not None else {}
    for namespace in (state, *map(class_dict_of, mro_of(cls))):
        if name in namespace:
            found = namespace[name]
            return slot_of(value, cls, name) if type(found) is MemberDescriptorType else found
    return None


def _resolved(request: Any, match: Any) -> None:
    try:
        cause = scope.current.get().cause
        if cause.kind == "request":
            route = _stored(match, "route")
            cause.route = route if type(route) is str else None
            cause.request = weakref.ref(request)
    except Exception:
        logger.debug("livesignals could not read a route", exc_info=True)


# Tasks

_celery_signals: Any = None  # once we are connected


def task_begins(named: dict[str, Any]) -> "scope.CauseScope | None":
    """The cause that Django's ``task_started`` begins."""
    result = named.get("task_result")
    function = _stored(_stored(result, "task"), "func")
    return scope.enter("task", receiver_name(function)[0], _id_of(_stored(result, "id")))


def _id_of(own_id: Any) -> str | None:
    return own_id if type(own_id) is str and own_id else None


def _connect_to_celery() -> None:
    """Hear of Celery's tasks, if it is loaded by now: a worker loads it first of all, a web server with its views."""
    global _celery_signals
    loaded = sys.modules.get("celery.signals")
    if loaded is _celery_signals or not hasattr(loaded, "task_postrun"):
        return
    _celery_signals = loaded
    _celery_signals.task_prerun.connect(_celery_task_begins, weak=False, dispatch_uid="livesignals")
    _celery_signals.task_postrun.connect(_celery_task_ends, weak=False, dispatch_uid="livesignals")


def _celery_task_begins(task: Any = None, task_id: Any = None, **kwargs: Any) -> None:
    name = _stored(task, "name")
    scope.enter("task", name if type(name) is str else dotted_name(type(task)), _id_of(task_id))


def _celery_task_ends(**kwargs: Any) -> None:
    scope.leave("task")


# Commands and tests


def _command_begins(command: Any) -> Any:
    """The scope to return to; None when the command is no cause of its own: what calls it is."""
    name = dotted_name(type(command)).rpartition(".")[0].rpartition(".")[2]
    outer = scope.current.get()
    if outer is not scope.PROCESS or scope.PROCESS.kind == "test":
        return None
    if scope.PROCESS.name == f"manage.py {name}" or name in scope.SERVERS:
        return None
    scope.enter("command", f"manage.py {name}")
    return outer


def _test_begins(test: Any) -> Any:
    outer = scope.current.get()
    method = _stored(test, "_testMethodName")
    scope.enter("test", f"{dotted_name(type(test))}.{method if type(method) is str else ''}")
    return outer


def _ends(outer: Any) -> None:
    if outer is not None:
        scope.current.set(outer)


signals.CAUSES.update(
    {
        "django.core.signals.request_started": (request_begins, None),
        "django.core.signals.request_finished": (request_ends, lambda: scope.leave("request")),
        "django.tasks.signals.task_started": (task_begins, None),
        "django.tasks.signals.task_finished": (None, lambda: scope.leave("task")),
    }
)
_HOOKS: Hooks = {
    "resolved": _resolved,
    "command_begins": _command_begins,
    "test_begins": _test_begins,
    "ends": _ends,
}
_RESOLVE_EDIT = at_end("resolved(request, result)", _HOOKS)
_COMMAND_EDIT = around("_livesignals_outer = command_begins(self)", "ends(_livesignals_outer)", _HOOKS)
_TEST_EDIT = around("_livesignals_outer = test_begins(self)", "ends(_livesignals_outer)", _HOOKS)
