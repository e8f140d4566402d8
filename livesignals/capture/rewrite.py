"""Django's own send methods, with the recording woven in.

Capture must add no frame (a warning's ``stacklevel`` counts them), move no line (tracebacks name them), put
nothing into ``signal.receivers`` and change no response. So no method is wrapped or replaced: the *code object* of
each is exchanged for one compiled from Django's own source with a few statements added, each carrying the file, line
and name of the statement it stands beside. Detaching puts the old code object back.

What is added, in the words of ``Signal.send``::

    _livesignals = begin(self, sender, named, "send")          # None: not recorded
    try:
        …
        if _livesignals is None:
            response = receiver(signal=self, sender=sender, **named)
        else:
            started = clock()
            try:
                response = receiver(signal=self, sender=sender, **named)
            except BaseException as error:
                _livesignals.calls.append((receiver, started, clock(), error))
                raise
            _livesignals.calls.append((receiver, started, clock(), None))
        …
    except BaseException as error:
        failed(_livesignals, error)
        raise
    finally:
        if _livesignals is not None:
            end(_livesignals)

A call whose coroutine is awaited elsewhere becomes ``drive(_livesignals, receiver, receiver(…))``. ``raise`` in the
frame that caught adds no entry to a traceback.
"""

import __future__

import ast
import linecache
import textwrap
import warnings
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType
from typing import Any

#: Names that stand for functions of ours in the woven source. They become constants of the code object, so that
#: nothing is put into the globals of Django's module.
HOOKS = ("begin", "end", "failed", "drive", "clock")
_PLACEHOLDER = "livesignals hook: "
_SEND = "_livesignals"
_STARTED = "_livesignals_started"
_ERROR = "_livesignals_error"
Definition = ast.FunctionDef | ast.AsyncFunctionDef
_FUTURE_FLAGS = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


class CannotWeave(Exception):
    """The function's source is not at hand or not of the shape that dispatch has."""


def weave(function: FunctionType, hooks: Mapping[str, Callable[..., Any]]) -> CodeType:
    """The code object of *function*, a send method, with the recording woven in.

    Raises :class:`CannotWeave`.
    """
    definition = _definition(function)
    _Weaver(definition).weave()
    code = _compile_inside(definition, function.__code__)
    return _finished(code, hooks, outer=f"_outer.<locals>.{definition.name}", qualname=function.__code__.co_qualname)


def _definition(function: FunctionType) -> Definition:
    """The function's ``def`` statement, with the lines and columns it has in its file."""
    name, code = function.__qualname__, function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    first, last = code.co_firstlineno, _last_line(code)
    # A statement may end lines below its last instruction, with a bracket.
    for end in range(last, min(last + 8, len(lines)) + 1):
        source = "".join(lines[first - 1 : end])
        indented = source[:1].isspace()
        try:
            statement = ast.parse(f"if True:\n{source}" if indented else source).body[0]
        except SyntaxError:
            continue
        break
    else:
        raise CannotWeave(f"the source of {name} cannot be read")
    if isinstance(statement, ast.If):
        statement = statement.body[0]
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        raise CannotWeave(f"{name} is not defined by a def statement")
    statement.decorator_list = []
    ast.increment_lineno(statement, first - 1 - indented)
    return statement


def _last_line(code: CodeType) -> int:
    lines = [line for _, _, line in code.co_lines() if line is not None]
    return max(lines + [_last_line(c) for c in code.co_consts if isinstance(c, CodeType)])


def _compile_inside(definition: Definition, original: CodeType) -> CodeType:
    """Compile *definition* where its free variables (such as ``__class__``) are free again."""
    outer = ast.parse("def _outer(): pass").body[0]
    assert isinstance(outer, ast.FunctionDef)
    outer.body = [ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None)) for name in original.co_freevars] + [
        definition
    ]
    module = ast.fix_missing_locations(ast.Module([outer], []))
    with warnings.catch_warnings():
        # A hook stands in the source as a string until it is exchanged; calling a string is worth a warning.
        warnings.simplefilter("ignore", SyntaxWarning)
        flags = original.co_flags & _FUTURE_FLAGS
        compiled = compile(module, original.co_filename, "exec", flags=flags, dont_inherit=True)
    woven = _nested(_nested(compiled, "_outer"), definition.name)
    if woven.co_freevars != original.co_freevars:
        raise CannotWeave(f"{original.co_qualname} closes over {original.co_freevars}, not {woven.co_freevars}")
    return woven.replace(co_firstlineno=original.co_firstlineno)


def _nested(code: CodeType, name: str) -> CodeType:
    return next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name)


def _finished(code: CodeType, hooks: Mapping[str, Callable[..., Any]], *, outer: str, qualname: str) -> CodeType:
    """Hooks in the place of their placeholders, and the qualified names that the code would have in its class."""

    def finished(constant: Any) -> Any:
        if isinstance(constant, CodeType):
            return _finished(constant, hooks, outer=outer, qualname=qualname)
        if isinstance(constant, str) and constant.startswith(_PLACEHOLDER):
            return hooks[constant.removeprefix(_PLACEHOLDER)]
        return constant

    return code.replace(
        co_consts=tuple(map(finished, code.co_consts)),
        co_qualname=code.co_qualname.replace(outer, qualname, 1),
    )


class _Weaver(ast.NodeTransformer):
    """Adds the statements to one function definition, in place."""

    def __init__(self, definition: Definition) -> None:
        arguments = definition.args
        positional = [*arguments.posonlyargs, *arguments.args]
        if len(positional) < 2 or arguments.kwarg is None:
            raise CannotWeave(f"{definition.name} does not take (self, sender, **named)")
        self.signal, self.sender, self.named = positional[0].arg, positional[1].arg, arguments.kwarg.arg
        self.definition = definition
        self.functions: list[Definition] = [definition]

    def weave(self) -> None:
        definition = self.definition
        docstring = definition.body[: ast.get_docstring(definition, clean=False) is not None]
        body = definition.body[len(docstring) :]
        beside = body[0]
        begin = _statements(f"{_SEND} = begin({self.signal}, {self.sender}, {self.named}, {definition.name!r})", beside)
        guarded = _statements(
            f"""
            try:
                pass
            except BaseException as {_ERROR}:
                failed({_SEND}, {_ERROR})
                raise
            finally:
                if {_SEND} is not None:
                    end({_SEND})
            """,
            beside,
        )
        assert isinstance(guarded[0], ast.Try)
        guarded[0].body = [woven for statement in body for woven in _as_list(self.visit(statement))]
        definition.body = [*docstring, *begin, *guarded]

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
        """``response = receiver(…)`` in a sync function: timed where it stands."""
        call = node.value
        if not self._is_receiver_call(call) or isinstance(self.functions[-1], ast.AsyncFunctionDef):
            return self.generic_visit(node)
        assert isinstance(call, ast.Call)
        receiver = ast.unparse(call.func)
        timed = _statements(
            f"""
            if {_SEND} is None:
                pass
            else:
                {_STARTED} = clock()
                try:
                    pass
                except BaseException as {_ERROR}:
                    {_SEND}.calls.append(({receiver}, {_STARTED}, clock(), {_ERROR}))
                    raise
                {_SEND}.calls.append(({receiver}, {_STARTED}, clock(), None))
            """,
            node,
        )
        choice = timed[0]
        assert isinstance(choice, ast.If) and isinstance(choice.orelse[1], ast.Try)
        choice.body = [node]
        choice.orelse[1].body = [node]
        return timed

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A receiver's coroutine that is awaited elsewhere: driven."""
        if not self._is_receiver_call(node):
            return self.generic_visit(node)
        statement = _statements(f"drive({_SEND}, {ast.unparse(node.func)}, None)", node)[0]
        assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        statement.value.args[2] = node
        return statement.value

    def _is_receiver_call(self, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and any(k.arg == "signal" and _is_name(k.value, self.signal) for k in node.keywords)
            and any(k.arg is None and _is_name(k.value, self.named) for k in node.keywords)
        )


class _Hooks(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(_PLACEHOLDER + node.id) if node.id in HOOKS else node


def _statements(source: str, beside: ast.stmt | ast.expr) -> list[ast.stmt]:
    """Statements of ours, at the place of what they stand beside."""
    tree = _Hooks().visit(ast.parse(textwrap.dedent(source)))
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr | ast.excepthandler):
            node.lineno = node.end_lineno = beside.lineno
            node.col_offset = node.end_col_offset = beside.col_offset
    statements: list[ast.stmt] = tree.body
    return statements


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _as_list(node: Any) -> list[ast.stmt]:
    return node if isinstance(node, list) else [node]
