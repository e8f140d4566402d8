"""Changing the text of a filter: a term for a value that was clicked, and completion while it is typed."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.utils.translation import gettext

from livesignals.exceptions import FilterError
from livesignals.filters.fields import FIELDS, PAYLOAD, Field, field_named, quoted
from livesignals.filters.nodes import And, Filter, Or
from livesignals.filters.parser import MAX_CHARACTERS, parse
from livesignals.filters.text import fold, scalar_text

#: A list of more than this many is not a help.
MAX_COMPLETIONS = 20
#: Of the values of one field, for a word; a shorter one is in nearly every value.
MAX_VALUES = 3
MIN_WORD = 2
OPERATORS = (":", "=", "!=", ">", ">=", "<", "<=")

_PLAIN = re.compile(r'[^\s()",*?]+')
_FIELD = r'[^\s()":,<>=!.\-][^\s()":,<>=!.]*(?:\.(?:"(?:[^"\\]|\\.)*"|[^\s()":,<>=!."]+))*'
_VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^\s()",]+)'
# Each begins where a term does, so that a long text is not tried from each of its characters on.
_AT_VALUE = re.compile(rf'(?:^|[\s(])-*({_FIELD})(?::|!?=)(?:{_VALUE},)*("(?:[^"\\]|\\.)*|[^\s()",]*)$', re.DOTALL)
_AT_TERM = re.compile(r'(?:^|[\s(])-*([^\s()":,<>=!\-]?[^\s()":,<>=!]*)$')


class Completion(NamedTuple):
    """One way to go on: ``insert`` takes the place of the text from column ``start`` to the caret."""

    insert: str
    label: str
    help: str
    start: int


def narrow(
    text: str, field: str, value: str | int | float | bool | None, negate: bool = False, operator: str = ":"
) -> str:
    """The filter *text* with one more term: *field* is *value*, or is not when *negate*.

    Raises FilterError when *text* is no filter, there is no such field or operator, or the filter becomes too long.
    """
    field_named(field, 1)
    if operator not in OPERATORS:
        message = gettext('there is no operator "%s"') % operator[:20]
        raise FilterError(message, 1, gettext("one of %s") % " ".join(OPERATORS))
    term = f"{'-' if negate else ''}{field}{operator}{_written(scalar_text(value))}"
    before, added = parse(text), parse(term)
    if before.is_empty:
        return term
    parts = before.root.parts if isinstance(before.root, And) else (before.root,)
    if added.root in parts:
        return before.source
    grouped = f"({before.source})" if isinstance(before.root, Or) else before.source
    return parse(f"{grouped} {term}").source


def up_to(chosen: Filter, last: int) -> Filter:
    """*chosen*, among the events with ids up to *last* alone."""
    bound = parse(f"id<={last}").root
    root = bound if chosen.is_empty else And((bound, chosen.root))
    return Filter(source=f"id<={last} ({chosen.source})", root=root, matches=root.predicate())


def _written(value: str) -> str:
    """*value* so that it stands for itself after a colon."""
    return value if _PLAIN.fullmatch(value) and ".." not in value else quoted(value)


def complete(text: str, column: int, seen: Mapping[str, Collection[str]]) -> list[Completion]:
    """How the term at the caret, which is before *column*, may go on.

    *seen* has values that were seen, by name of field; its ``kwargs.…`` are offered as fields, with some of theirs.
    """
    if len(text) > MAX_CHARACTERS:
        return []
    before = text[: max(column - 1, 0)]
    at_value = _AT_VALUE.search(before)
    if at_value is not None:
        try:
            field = field_named(at_value[1], 1)
        except FilterError:
            return []
        return _values(field, at_value[2], at_value.start(2) + 1, seen.get(field.name, ()))
    at_term = _AT_TERM.search(before)
    return [] if at_term is None else _terms(at_term[1], at_term.start(1) + 1, seen)


def _terms(typed: str, start: int, seen: Mapping[str, Collection[str]]) -> list[Completion]:
    """Fields, and for a word that is part of a value whole terms: who knows a model's name need not know the field."""
    helps = {field.name: gettext(field.help) for field in FIELDS if field is not PAYLOAD}
    paths = {
        name: ", ".join(list(values)[:3]) or gettext(PAYLOAD.help) for name, values in seen.items() if name not in helps
    }
    fields = {f"{name}:": (name, text) for name, text in (helps | paths).items()}
    terms = {
        (term := f"{name}:{_written(word)}"): (term, helps[name])
        for name in (helps if len(typed) >= MIN_WORD else ())
        for word in _best(typed, sorted(seen.get(name, ())))[:MAX_VALUES]
    }
    begun = [name for name in fields if fold(name).startswith(fold(typed))]
    others = [f"{name}:" for name in _best(typed, helps | paths)]
    inserts = dict.fromkeys([*begun, *terms, *others] if len(typed) >= MIN_WORD else others)
    known = fields | terms
    return [Completion(insert, *known[insert], start) for insert in inserts][:MAX_COMPLETIONS]


def _values(field: Field, typed: str, start: int, seen: Iterable[str]) -> list[Completion]:
    choices = field.kind.choices
    words = _best(typed.removeprefix('"'), choices or sorted(seen))
    return [
        Completion(_written(word), word, (choices.get(word) and gettext(choices[word])) or "", start) for word in words
    ]


def _best(typed: str, words: Iterable[str]) -> list[str]:
    """The words that fit: first those that begin so, then those with a part that does, then the others."""
    wanted = fold(typed)
    ranked = []
    for word in words:
        folded = fold(word)
        if wanted in folded:
            ranked.append((0 if folded.startswith(wanted) else 1 if f".{wanted}" in folded else 2, word))
    return [word for _, word in sorted(ranked, key=lambda item: item[0])][:MAX_COMPLETIONS]
