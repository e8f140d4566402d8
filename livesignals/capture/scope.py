"""What a send runs inside: another send, or a cause.

One ContextVar holds the innermost of them. It is put back with ``set(outer)`` and never with ``reset(token)``, which
fails when a send begins in one context and ends in a copy of it (``sync_to_async``).
"""

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from msgspec import Struct


class CauseScope(Struct, eq=False):
    """A request, command, task, test or shell; the bottom of every tree of sends."""

    kind: str
    name: str
    number: int = 0  # tells requests and tasks of a process apart; 0: the process itself
    outer: Any = None  # what to return to: a CauseScope, or the Send whose receiver runs a task at once
    own_id: str | None = None  # of a task: by which its queue knows it
    route: str | None = None
    status: int | None = None
    user: str | None = None  # primary key
    request: Any = None  # a weak reference, until the request is over
    is_over: bool = False
    depth: int = 0  # of sends; a Send counts from 1

    @property
    def cause(self) -> "CauseScope":
        return self


#: Nothing that happens in here is recorded: livesignals' own work.
MUTED = CauseScope("muted", "muted")

SERVERS = ("runserver", "runserver_plus", "demo")
_TEST_RUNNERS = ("pytest", "py.test")
_SHELLS = ("shell", "shell_plus", "dbshell")


def process_scope() -> CauseScope:
    """The scope of everything that happens outside requests and tasks, told from the command line."""
    program = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"
    if program == "__main__.py":
        program = os.path.basename(os.path.dirname(sys.argv[0]))
    if program in ("manage.py", "django-admin", "django-admin.py", "django") and len(sys.argv) > 1:
        # Not the arguments: they may hold secrets.
        command = sys.argv[1]
        if command in _SHELLS:
            return CauseScope("shell", f"manage.py {command}")
        if command == "test":
            return CauseScope("test", "manage.py test")
        if command in SERVERS:
            return CauseScope("process", f"manage.py {command}")
        return CauseScope("command", f"manage.py {command}")
    if program in _TEST_RUNNERS:
        return CauseScope("test", program)
    if program == "-c" and "PYTEST_XDIST_WORKER" in os.environ:
        return CauseScope("test", "pytest")
    if program in ("", "-c", "python", "ipython"):
        return CauseScope("shell", "python")
    return CauseScope("process", program)


#: A Send or a CauseScope. The process's own stands in for "nothing set", so that reading never fails.
PROCESS = process_scope()
current: ContextVar[Any] = ContextVar("livesignals", default=PROCESS)
_numbers = itertools.count(1)


def enter(kind: str, name: str, own_id: str | None = None) -> CauseScope:
    """What happens from here on, in this context, is caused by a request or task."""
    outer = current.get()
    if kind == "request":
        outer = outer.cause
        if outer.kind == kind:  # the one before was never left
            outer = outer.outer or PROCESS
    cause = CauseScope(kind, name, next(_numbers), outer, own_id)
    current.set(cause)
    return cause


_tests: dict[str, CauseScope] = {}


def test_scope() -> CauseScope:
    """The test that pytest runs now, by what it puts into the environment; the process where it runs none."""
    name = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
    if not name:
        return PROCESS
    cause = _tests.get(name)
    if cause is None:
        _tests.clear()  # one test runs at a time
        cause = _tests[name] = CauseScope("test", name, next(_numbers), PROCESS)
    return cause


def leave(kind: str) -> None:
    """The request or task is over."""
    cause = current.get().cause
    if cause.kind == kind:
        outer = cause.outer or PROCESS
        if outer.depth:
            cause.outer = outer.cause  # a send is not kept for as long as a cause may be
            if outer.outer is None:  # it has ended
                outer = outer.cause
        current.set(outer)


@contextmanager
def muted() -> Iterator[None]:
    """Sends made inside are not recorded."""
    outer = current.get()
    current.set(MUTED)
    try:
        yield
    finally:
        current.set(outer)
