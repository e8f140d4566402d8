"""The recording in front of every dispatch.

In the words of ``Signal.send``, what is woven in (see :mod:`livesignals.capture.weaving`)::

    _livesignals = begin(self, sender, named, "send")          # None: not recorded
    try:
        …
        sync_receivers, async_receivers = self._live_receivers(sender)
        if _livesignals is not None:
            _livesignals.receivers = sync_receivers, async_receivers
        for receiver in sync_receivers:
            if _livesignals is None:
                response = receiver(signal=self, sender=sender, **named)
            else:
                started = clock()
                try:
                    response = receiver(signal=self, sender=sender, **named)
                except BaseException as error:
                    _livesignals.calls.append((receiver, started, clock(), error, None))
                    raise
                _livesignals.calls.append((receiver, started, clock(), None, response))
        …
    except BaseException as error:
        failed(_livesignals, error)
        raise
    finally:
        if _livesignals is not None:
            end(_livesignals)

A call whose coroutine is awaited elsewhere becomes ``drive(calling(_livesignals, receiver), receiver(…))``.
``raise`` in the frame that caught adds no entry to a traceback.
"""

import ast
import functools
import inspect
import logging
from collections.abc import Callable
from types import FunctionType
from typing import Any

from django.dispatch import Signal

from livesignals.capture import driven, sends, signals
from livesignals.capture.weaving import CannotWeave, Definition, exchange, split_docstring, statements
from livesignals.snapshot.types import class_dict_of

logger = logging.getLogger("livesignals")

HOOKS: dict[str, Callable[..., Any]] = {
    "begin": sends.begin,
    "end": sends.end,
    "failed": sends.failed,
    "calling": driven.calling,
    "drive": driven.drive,
    "clock": sends.clock,
}
_SEND = "_livesignals"
_STARTED = "_livesignals_started"
_ERROR = "_livesignals_error"
_CALL = "_livesignals_call"
_TIMED = f"""
if {_SEND} is None:
    pass
else:
    {_STARTED} = clock()
    try:
        pass
    except BaseException as {_ERROR}:
        {_SEND}.calls.append(({{receiver}}, {_STARTED}, clock(), {_ERROR}, None))
        raise
    {_SEND}.calls.append(({{receiver}}, {_STARTED}, clock(), None, {{target}}))
"""
#: On a thread that may outlive its send: the call is there from its start on. Our name for it must not stay in the
#: frame, which the error's traceback holds.
_TIMED_ON_THREAD = f"""
if {_SEND} is None:
    pass
else:
    {_CALL} = [{{receiver}}, clock(), 0, None, None]
    {_SEND}.calls.append({_CALL})
    try:
        pass
    except BaseException as {_ERROR}:
        {_CALL}[2:] = clock(), {_ERROR}, None
        del {_CALL}
        raise
    {_CALL}[2:] = clock(), None, {{target}}
"""

_wrapped: list[tuple[type, str, Any]] = []


def attach() -> None:
    """Record the dispatches of signals and Signal subclasses that exist and that will."""
    for cls in _with_subclasses(Signal):
        _attach_class(cls)
    Signal.__init_subclass__ = classmethod(_attach_new_class)  # type: ignore[assignment, arg-type]


def detach() -> None:
    """Put back what weaving does not: methods that had to be wrapped."""
    for cls, name, original in reversed(_wrapped):
        setattr(cls, name, original)
    _wrapped.clear()
    signals.woven_codes.clear()
    if "__init_subclass__" in vars(Signal):
        del Signal.__init_subclass__


def is_wrapped() -> bool:
    """Whether a method had to be wrapped."""
    return bool(_wrapped)


def _with_subclasses(cls: type[Signal]) -> list[type[Signal]]:
    return [cls] + [found for subclass in type.__subclasses__(cls) for found in _with_subclasses(subclass)]


def _attach_new_class(cls: type[Signal], **kwargs: Any) -> None:
    super(Signal, cls).__init_subclass__(**kwargs)
    _attach_class(cls)


def _attach_class(cls: type[Signal]) -> None:
    for name in signals.SEND_METHODS:
        function = class_dict_of(cls).get(name)
        if not isinstance(function, FunctionType):
            continue
        try:
            code = exchange(function, lambda definition: _Dispatch(definition).edit(), HOOKS)
        except CannotWeave as reason:
            logger.debug("livesignals: %s; its receivers cannot be told apart", reason)
            _wrapped.append((cls, name, function))
            wrapper = _wrapper(function, name)
            setattr(cls, name, wrapper)
            code = wrapper.__code__
        signals.woven_codes.add(id(code))


class _Dispatch(ast.NodeTransformer):
    """The edit of one send method."""

    def __init__(self, definition: Definition) -> None:
        arguments = definition.args
        positional = [*arguments.posonlyargs, *arguments.args]
        if len(positional) < 2 or arguments.kwarg is None:
            raise CannotWeave(f"{definition.name} does not take (self, sender, **named)")
        self.signal, self.sender, self.named = positional[0].arg, positional[1].arg, arguments.kwarg.arg
        self.definition = definition
        self.functions: list[Definition] = [definition]

    def edit(self) -> None:
        definition = self.definition
        docstring, body = split_docstring(definition)
        added = statements(
            f"""
            {_SEND} = begin({self.signal}, {self.sender}, {self.named}, {definition.name!r})
            try:
                pass
            except BaseException as {_ERROR}:
                failed({_SEND}, {_ERROR})
                raise
            finally:
                if {_SEND} is not None:
                    end({_SEND})
            """,
            body[0],
            HOOKS,
        )
        guarded = added[-1]
        assert isinstance(guarded, ast.Try)
        guarded.body = [woven for statement in body for woven in _as_list(self.visit(statement))]
        definition.body = [*docstring, *added]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._visit_function(node)

    def _visit_function(self, node: Definition) -> ast.AST:
        self.functions.append(node)
        try:
            return self.generic_visit(node)
        finally:
            self.functions.pop()

    def visit_Assign(self, node: ast.Assign) -> ast.AST | list[ast.stmt]:
        """``response = receiver(…)`` in a sync function is timed where it stands; live receivers are remembered."""
        call, target = node.value, ast.unparse(node.targets[0])
        if self._is_live_receivers(call):
            remember = f"if {_SEND} is not None:\n    {_SEND}.receivers = {target}"
            return [node, *statements(remember, node, HOOKS)]
        if not self._is_receiver_call(call) or isinstance(self.functions[-1], ast.AsyncFunctionDef):
            return self.generic_visit(node)
        assert isinstance(call, ast.Call)
        is_on_thread = isinstance(self.functions[0], ast.AsyncFunctionDef)
        source = (_TIMED_ON_THREAD if is_on_thread else _TIMED).format(receiver=ast.unparse(call.func), target=target)
        timed = statements(source, node, HOOKS)
        choice = timed[0]
        assert isinstance(choice, ast.If) and isinstance(choice.orelse[-2], ast.Try)
        choice.body = [node]
        choice.orelse[-2].body = [node]
        return timed

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A receiver's coroutine that is awaited elsewhere: driven."""
        if not self._is_receiver_call(node):
            return self.generic_visit(node)
        statement = statements(f"drive(calling({_SEND}, {ast.unparse(node.func)}), None)", node, HOOKS)[0]
        assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        statement.value.args[1] = node
        return statement.value

    def _is_receiver_call(self, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and any(k.arg == "signal" and _is_name(k.value, self.signal) for k in node.keywords)
            and any(k.arg is None and _is_name(k.value, self.named) for k in node.keywords)
        )

    def _is_live_receivers(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and ast.unparse(node.func) == f"{self.signal}._live_receivers"


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _as_list(node: Any) -> list[ast.stmt]:
    return node if isinstance(node, list) else [node]


def _wrapper(function: FunctionType, name: str) -> FunctionType:
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

        return asend  # type: ignore[return-value]

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

    return send  # type: ignore[return-value]
