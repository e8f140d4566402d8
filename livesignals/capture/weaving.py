"""Statements of ours in Django's own functions.

Capture must add no frame (a warning's ``stacklevel`` counts them) and move no line (tracebacks name them). So no
function is wrapped or replaced: its *code object* is exchanged for one compiled from its own source with a few
statements added, each carrying the file, line and column of the statement it stands beside. Undoing it puts the old
code object back.

What the added statements call, *hooks*, become constants of the code object: nothing is put into the globals of
Django's modules. Hooks must not raise.
"""

import __future__

import ast
import linecache
import textwrap
import warnings
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType
from typing import Any

_PLACEHOLDER = "livesignals hook: "
_FUTURE_FLAGS = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)

Definition = ast.FunctionDef | ast.AsyncFunctionDef
Hooks = Mapping[str, Callable[..., Any]]
#: Changes a definition in place. Raises CannotWeave when it does not have the shape that is expected.
Edit = Callable[[Definition], None]


class CannotWeave(Exception):
    """The function's source is not at hand or not of the shape that is expected."""


#: What was exchanged, to be put back.
_originals: dict[FunctionType, CodeType] = {}


def exchange(function: FunctionType, edit: Edit, hooks: Hooks) -> CodeType:
    """Weave *hooks* into *function*; the new code object. Does nothing when it was done before.

    Raises :class:`CannotWeave`, and then has changed nothing.
    """
    if function in _originals:
        return function.__code__
    code = weave(function, edit, hooks)
    _originals[function] = function.__code__
    function.__code__ = code
    return code


def restore_all() -> None:
    """Put back every code object that was exchanged."""
    for function, code in _originals.items():
        function.__code__ = code
    _originals.clear()


def is_woven() -> bool:
    """Whether any function is woven now."""
    return bool(_originals)


def weave(function: FunctionType, edit: Edit, hooks: Hooks) -> CodeType:
    """The code object of *function* after *edit*. Names of hooks in the added statements stand for the hooks."""
    definition = _definition(function)
    edit(definition)
    code = _compile_inside(definition, function.__code__)
    return _finished(code, hooks, outer=f"_outer.<locals>.{definition.name}", qualname=function.__code__.co_qualname)


# Edits


def statements(source: str, beside: ast.stmt | ast.expr, hooks: Hooks) -> list[ast.stmt]:
    """Statements of ours, at the place of what they stand beside."""
    tree = _HookNames(hooks).visit(ast.parse(textwrap.dedent(source)))
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr | ast.excepthandler):
            node.lineno = node.end_lineno = beside.lineno
            node.col_offset = node.end_col_offset = beside.col_offset
    added: list[ast.stmt] = tree.body
    return added


def split_docstring(definition: Definition) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """The docstring's statement, if any, and the rest of the body."""
    count = int(ast.get_docstring(definition, clean=False) is not None)
    return definition.body[:count], definition.body[count:]


def after(is_there: Callable[[ast.stmt], bool], source: str, hooks: Hooks) -> Edit:
    """An edit: *source* after every statement for which *is_there* holds."""

    def edit(definition: Definition) -> None:
        found = _insert(definition, is_there, lambda statement: [statement, *statements(source, statement, hooks)])
        if not found:
            raise CannotWeave(f"{definition.name} has no such statement")

    return edit


def at_end(source: str, hooks: Hooks) -> Edit:
    """An edit: *source* where the function ends without an error. What it returns is called ``result``."""
    source = source.replace("result", "_livesignals_result")

    def returning(statement: ast.stmt) -> list[ast.stmt]:
        assert isinstance(statement, ast.Return)
        assign, *added, again = statements(
            f"_livesignals_result = None\n{source}\nreturn _livesignals_result", statement, hooks
        )
        assert isinstance(assign, ast.Assign)
        if statement.value is not None:
            assign.value = statement.value
        return [assign, *added, again]

    def edit(definition: Definition) -> None:
        _insert(definition, lambda statement: isinstance(statement, ast.Return), returning)
        last = definition.body[-1]
        if not isinstance(last, ast.Return):
            definition.body += statements(f"_livesignals_result = None\n{source}", last, hooks)

    return edit


def around(begin: str, end: str, hooks: Hooks) -> Edit:
    """An edit: *begin* before the body, *end* after it, whatever happens in it."""

    def edit(definition: Definition) -> None:
        docstring, body = split_docstring(definition)
        added = statements(f"{begin}\ntry:\n    pass\nfinally:\n    {end}", body[0], hooks)
        guarded = added[-1]
        assert isinstance(guarded, ast.Try)
        guarded.body = body
        definition.body = [*docstring, *added]

    return edit


def _insert(
    parent: ast.AST, is_there: Callable[[ast.stmt], bool], replacement: Callable[[ast.stmt], list[ast.stmt]]
) -> bool:
    """Replace statements at any depth, but not in functions inside; whether any was."""
    found = False
    for name, value in ast.iter_fields(parent):
        if not isinstance(value, list) or not value or not isinstance(value[0], ast.stmt | ast.excepthandler):
            continue
        replaced: list[Any] = []
        for statement in value:
            if isinstance(statement, ast.stmt) and is_there(statement):
                replaced += replacement(statement)
                found = True
            else:
                if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    found |= _insert(statement, is_there, replacement)
                replaced.append(statement)
        setattr(parent, name, replaced)
    return found


class _HookNames(ast.NodeTransformer):
    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(_PLACEHOLDER + node.id) if node.id in self.hooks else node


# From source to code


def _definition(function: FunctionType) -> Definition:
    """The function's ``def`` statement, with the lines and columns it has in its file."""
    name, code = function.__qualname__, function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    first, last = code.co_firstlineno, _last_line(code)
    # Lines in front give it the line numbers that it has in its file.
    indented = lines[first - 1 : first] and lines[first - 1][:1].isspace()
    before = "\n" * (first - 2) + "if True:\n" if indented else "\n" * (first - 1)
    # A statement may end lines below its last instruction, with a bracket.
    for end in range(last, min(last + 8, len(lines)) + 1):
        try:
            statement = ast.parse(before + "".join(lines[first - 1 : end])).body[0]
        except (SyntaxError, IndexError):
            continue
        break
    else:
        raise CannotWeave(f"the source of {name} cannot be read")
    if isinstance(statement, ast.If):
        statement = statement.body[0]
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) or statement.name != code.co_name:
        raise CannotWeave(f"{name} is not defined by a def statement")
    statement.decorator_list = []
    return statement


def _last_line(code: CodeType) -> int:
    lines = [line for _, _, line in code.co_lines() if line is not None]
    return max(lines + [_last_line(c) for c in code.co_consts if isinstance(c, CodeType)])


def _compile_inside(definition: Definition, original: CodeType) -> CodeType:
    """Compile *definition* where its free variables (such as ``__class__``) are free again."""
    outer = ast.parse("def _outer(): pass").body[0]
    assert isinstance(outer, ast.FunctionDef)
    outer.body = [ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None)) for name in original.co_freevars]
    outer.body.append(definition)
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


def _finished(code: CodeType, hooks: Hooks, *, outer: str, qualname: str) -> CodeType:
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
