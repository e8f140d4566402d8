"""Async receivers, stepped through a coroutine of ours. On the event loop that runs the send.

Around every step the scope is set and put back, because from Django 6.1 on the async receivers of a send share one
context. Our frames are taken out of tracebacks. :func:`calling` and :func:`drive` are woven into Django's send methods
(see :mod:`livesignals.capture.dispatch`).
"""

from collections.abc import Coroutine
from types import CoroutineType, GeneratorType
from typing import Any

from livesignals.capture import scope
from livesignals.capture.counting import CountedSend
from livesignals.capture.receivers import receiver_name
from livesignals.capture.sends import CANCELLED, Call, Send, clock, error_words
from livesignals.snapshot.freeze import freeze_value
from livesignals.snapshot.types import class_dict_of, mro_of


def calling(send: Send | CountedSend | None, receiver: Any) -> "Driven | None":
    """What is to drive the coroutine of an async receiver, which is called now."""
    return None if send is None else Driven(send, receiver)


def drive(driver: "Driven | None", awaitable: Any) -> Any:
    """An async receiver's coroutine, so that it is timed and what it sends has its send as parent."""
    return awaitable if driver is None else driver.over(awaitable)


class Driven(Coroutine[Any, Any, Any]):
    """A coroutine stepped through another one."""

    __slots__ = (
        "__weakref__",
        "ended",
        "error",
        "inner",  # the scope between two steps
        "is_called",
        "ran",
        "receiver",
        "record",
        "response",
        "started",
        "steps",
    )

    def __init__(self, record: Send | CountedSend, receiver: Any) -> None:
        self.record = self.inner = record
        self.receiver = receiver
        self.is_called = False
        self.steps: Any = None
        self.started = self.ended = self.ran = 0
        self.error: BaseException | None = None
        self.response: Any = None
        if record.drivers is None:
            record.drivers = [self]
        else:
            record.drivers.append(self)

    def over(self, awaitable: Any) -> Any:
        """Itself, to be awaited instead of *awaitable*."""
        self.is_called = True
        if type(awaitable) is CoroutineType:
            self.steps = awaitable
        elif _is_awaitable(type(awaitable)):
            self.steps = _steps(awaitable)
        else:  # who awaits it gets Python's own error
            self.started = self.ended = clock()
            return awaitable
        return self

    def calls(self, now: int) -> list[Call]:
        """The receiver call, if it began; what it holds of the project's is let go."""
        if not self.is_called:  # the call itself failed: wrong arguments, or a function that only looks async
            name, place, is_async = receiver_name(self.receiver)
            error = self.record.error  # None when a robust send has caught it
            return [Call(name, place, is_async, "raised", now, now, error=error and error_words(error))]
        if not self.started:
            return []
        call = Call(*receiver_name(self.receiver), "returned", self.started, self.ended or now, self.ran)
        if not self.ended:  # under gather, siblings of a failing receiver go on
            call.status = "unfinished"
        elif self.error is not None:
            call.error = error_words(self.error)
            call.status = "cancelled" if call.error[0] == CANCELLED else "raised"
        elif self.response is not None:
            call.returned = freeze_value(self.response)
        self.error = self.response = None
        return [call]

    def __getattr__(self, name: str) -> Any:
        """Names, code and frame (``cr_frame``), for who looks at the task."""
        return getattr(self.steps, name)

    def __await__(self) -> Any:
        return self

    __iter__ = __await__

    def __next__(self) -> Any:
        try:
            return self.send(None)
        except BaseException as error:
            _hide_frames(error)
            raise

    def send(self, value: Any) -> Any:
        outer, began = self._enter()
        if not self.started:  # not where it is cancelled before this: then no line of the receiver runs
            self.started = began
        try:
            return self.steps.send(value)
        except StopIteration as stop:
            self._leave(None, stop.value)
            raise
        except BaseException as error:
            self._leave(error, None)
            raise
        finally:
            self.inner = scope.current.get()  # it may be inside a send of its own
            scope.current.set(outer)
            self.ran += clock() - began

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> Any:
        outer, began = self._enter()
        try:
            return self.steps.throw(typ if val is None else val)
        except StopIteration as stop:
            self._leave(None, stop.value)
            raise
        except BaseException as error:
            self._leave(error, None)
            raise
        finally:
            self.inner = scope.current.get()
            scope.current.set(outer)
            self.ran += clock() - began

    def close(self) -> None:
        self.steps.close()

    def _enter(self) -> tuple[Any, int]:
        outer = scope.current.get()
        scope.current.set(self.inner)
        return outer, clock()

    def _leave(self, error: BaseException | None, response: Any) -> None:
        self.ended = clock()
        if self.record.outer is not None:  # else the send is over
            self.error, self.response = error, response
        if error is not None:
            _hide_frames(error)


def _hide_frames(error: BaseException) -> None:
    """Take the frames through which *error* came here, which are ours, out of its traceback."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None and traceback.tb_frame.f_globals is _GLOBALS:
        traceback = traceback.tb_next
    error.__traceback__ = traceback


_GLOBALS = globals()


def _is_awaitable(cls: type) -> bool:
    return cls is GeneratorType or any("__await__" in class_dict_of(base) for base in mro_of(cls))


async def _steps(awaitable: Any) -> Any:
    """Any awaitable as something with ``send`` and ``throw``."""
    return await awaitable
