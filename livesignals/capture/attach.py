"""Putting the recording in front of every dispatch of the process, and taking it away again."""

import functools
import inspect
import logging
import threading
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from django.dispatch import Signal

from livesignals.capture import sends, signals
from livesignals.capture.rewrite import CannotWeave, weave

logger = logging.getLogger("livesignals")

_HOOKS: dict[str, Callable[..., Any]] = {
    "begin": sends.begin,
    "end": sends.end,
    "failed": sends.failed,
    "drive": sends.drive,
    "clock": sends.clock,
}
_lock = threading.Lock()
_originals: dict[FunctionType, CodeType] = {}
_wrapped: list[tuple[type, str, Any]] = []


def attach() -> None:
    """Record every send from now on, of signals and Signal subclasses that exist and that will. Idempotent."""
    with _lock:
        if is_attached():
            return
        for cls in _with_subclasses(Signal):
            _attach_class(cls)
        Signal.__init_subclass__ = classmethod(_attach_new_class)  # type: ignore[assignment, arg-type]


def detach() -> None:
    """Put everything back as it was."""
    with _lock:
        for function, code in _originals.items():
            function.__code__ = code
        for cls, name, original in reversed(_wrapped):
            setattr(cls, name, original)
        _originals.clear()
        _wrapped.clear()
        signals.woven_codes.clear()
        if "__init_subclass__" in vars(Signal):
            del Signal.__init_subclass__


def connect() -> None:
    """Connect :func:`record` to Django's model signals, so that Django makes even the sends that it leaves out while
    nobody is connected: of fast deletes, and of what is added to a many-to-many relation. Idempotent."""
    from django.db.models import signals as model_signals

    for name in ("pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed"):
        getattr(model_signals, name).connect(sends.record, dispatch_uid="livesignals")


def is_attached() -> bool:
    """Whether sends are being recorded in this process."""
    return bool(_originals or _wrapped)


def _with_subclasses(cls: type[Signal]) -> list[type[Signal]]:
    return [cls] + [found for subclass in cls.__subclasses__() for found in _with_subclasses(subclass)]


def _attach_new_class(cls: type[Signal], **kwargs: Any) -> None:
    super(Signal, cls).__init_subclass__(**kwargs)
    _attach_class(cls)


def _attach_class(cls: type[Signal]) -> None:
    for name in signals.SEND_METHODS:
        function = vars(cls).get(name)
        if not isinstance(function, FunctionType) or function in _originals:
            continue
        try:
            code = weave(function, _HOOKS)
        except CannotWeave as reason:
            logger.debug("livesignals: %s; its receivers cannot be told apart", reason)
            _wrapped.append((cls, name, function))
            setattr(cls, name, _wrapper(function, name))
            continue
        _originals[function] = function.__code__
        function.__code__ = code
        signals.woven_codes.add(id(code))


def _wrapper(function: FunctionType, name: str) -> Callable[..., Any]:
    """For a send method whose source is not at hand: the send is recorded, its receivers are not told apart."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def asend(self: Any, sender: Any, *args: Any, **named: Any) -> Any:
            send = sends.begin(self, sender, named, name)
            try:
                return await function(self, sender, *args, **named)
            except BaseException as error:
                sends.failed(send, error)
                raise
            finally:
                if send is not None:
                    sends.end(send)

        wrapper: Callable[..., Any] = asend
    else:

        @functools.wraps(function)
        def send(self: Any, sender: Any, *args: Any, **named: Any) -> Any:
            record = sends.begin(self, sender, named, name)
            try:
                return function(self, sender, *args, **named)
            except BaseException as error:
                sends.failed(record, error)
                raise
            finally:
                if record is not None:
                    sends.end(record)

        wrapper = send
    signals.woven_codes.add(id(wrapper.__code__))
    return wrapper
