"""Changing the text of a filter: a term for a value that was clicked, and completion while it is typed."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from livesignals.exceptions import FilterError
from livesignals.filters.fields import FIELDS, PAYLOAD, Field, field_named, quoted
from livesignals.filters.nodes import Or
from livesignals.filters.parser import parse
from livesignals.filters.text import fold, scalar_text

#: A list of more than this many is not a help.
MAX_COMPLETIONS = 20

_PLAIN = re.compile(r'[^\s()",*?]+')
_FIELD = r'[^\s()":,<>=!.\-][^\s()":,<>=!.]*(?:\.(?:"(?:[^"\\]|\\.)*"|[^\s()":,<>=!."]+))*'
_VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^\s()",]+)'
_AT_VALUE = re.compile(rf'({_FIELD})(?::|!?=)(?:{_VALUE},)*("(?:[^"\\]|\\.)*|[^\s()",]*)$', re.DOTALL)
_AT_TERM = re.compile(r'(?:^|[\s(])-*([^\s()":,<>=!\-]?[^\s()":,<>=!]*)$')


class Completion(NamedTuple):
    """One way to go on: ``insert`` takes the place of the text from column ``start`` to the caret."""

    insert: str
    label: str
    help: str
    start: int


def narrow(text: str, field: str, value: str | int | float | bool | None, negate: bool = False) -> str:
    """The filter *text* with one more term: *field* is *value*, or is not when *negate*.

    Raises FilterError when *text* is no filter, or there is no such field.
    """
    field_named(field, 1)
    written = scalar_text(value)
    term = f"{'-' if negate else ''}{field}:{_written(written)}"
    before = parse(text)
    if before.is_empty:
        return term
    source = before.source
    if source == term or source.endswith(f" {term}"):
        return source
    return f"({source}) {term}" if isinstance(before.root, Or) else f"{source} {term}"


def _written(value: str) -> str:
    """*value* so that it stands for itself after a colon."""
    return value if _PLAIN.fullmatch(value) and ".." not in value else quoted(value)


def complete(text: str, column: int, seen: Mapping[str, Collection[str]]) -> list[Completion]:
    """How the term at the caret, which is before *column*, may go on.

    *seen* has values that were seen, by name of field; its ``kwargs.…`` are offered as fields.
    """
    before = text[: column - 1]
    at_value = _AT_VALUE.search(before)
    if at_value is not None:
        try:
            field = field_named(at_value[1], 1)
        except FilterError:
            return []
        return _values(field, at_value[2], at_value.start(2) + 1, seen.get(field.name, ()))
    at_term = _AT_TERM.search(before)
    return [] if at_term is None else _fields(at_term[1], at_term.start(1) + 1, seen)


def _fields(typed: str, start: int, seen: Mapping[str, Collection[str]]) -> list[Completion]:
    helps = {field.name: field.help for field in FIELDS if field is not PAYLOAD}
    helps |= {name: PAYLOAD.help for name in seen if name.startswith("kwargs.")}
    return [Completion(f"{name}:", name, helps[name], start) for name in _best(typed, helps)]


def _values(field: Field, typed: str, start: int, seen: Iterable[str]) -> list[Completion]:
    choices = field.kind.choices
    words = _best(typed.removeprefix('"'), choices or sorted(seen))
    return [Completion(_written(word), word, choices.get(word, ""), start) for word in words]


def _best(typed: str, words: Iterable[str]) -> list[str]:
    """The words that fit: first those that begin so, then those with a part that does, then the others."""
    wanted = fold(typed)
    ranked = []
    for word in words:
        folded = fold(word)
        if wanted in folded:
            ranked.append((0 if folded.startswith(wanted) else 1 if f".{wanted}" in folded else 2, word))
    return [word for _, word in sorted(ranked, key=lambda item: item[0])][:MAX_COMPLETIONS]
