"""From text to a filter."""

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils.translation import gettext

from livesignals.exceptions import FilterError
from livesignals.filters.fields import field_named, unescaped
from livesignals.filters.kinds import Value
from livesignals.filters.matchers import Either, either
from livesignals.filters.nodes import And, Everything, Filter, Node, Not, Or, Term, Words

if TYPE_CHECKING:
    from lark import Lark, Token

MAX_CHARACTERS = 2_048
MAX_TERMS = 128
MAX_DEPTH = 16

_OPERATOR = re.compile(r":|[<>]=?|!?=")

#: What a person calls the terminals of the grammar; keys into the catalogue.
IN_WORDS = {
    "FIELD": "a field such as signal:",
    "WORD": "a word",
    "QUOTED": "words in quotes",
    "VALUE": "a value",
    "OPERATOR": "one of > >= < <= = !=",
    "_COLON": "a colon",
    "_COMMA": "a comma",
    "LPAR": '"("',
    "_RPAR": '")"',
    "MINUS": '"-"',
    "NOT": "NOT",
    "_AND": "AND",
    "_OR": "OR",
    "$END": "the end",
}
_TERM_BEGINS = {"FIELD", "WORD", "QUOTED", "LPAR", "MINUS", "NOT"}


def parse(text: str) -> Filter:
    """The filter that *text* means; blank text lets every event through.

    Raises FilterError, with the column and what was expected there.
    """
    source = text.strip()
    if not source:
        return _filter("", Everything())
    if len(source) > MAX_CHARACTERS:
        column = text.index(source[0]) + MAX_CHARACTERS + 1
        message = gettext("a filter has at most %d characters") % MAX_CHARACTERS
        raise FilterError(message, column, gettext("the end"))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = gettext("half a character (a lone surrogate)")
        raise FilterError(message, error.start + 1, gettext("whole characters")) from None
    return _filter(source, _parsed(text))


def _filter(source: str, root: Node) -> Filter:
    return Filter(source=source, root=root, matches=root.predicate())


def _parsed(text: str) -> Node:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    try:
        part: _Part = _lark().parse(text)  # type: ignore[assignment]
    except UnexpectedCharacters as error:
        position: Any = error.pos_in_stream
        raise _misfit(text, position, error.allowed or set()) from None
    except UnexpectedToken as error:
        token = error.token
        position = len(text.rstrip()) if token.type == "$END" else token.start_pos
        raise _misfit(text, position, error.expected) from None
    return part.node


@cache
def _lark() -> "Lark":
    # Imported and built with the first filter: a project that starts without a dashboard needs neither.
    from lark import Lark

    # With the actions inside the parser nothing recurses over the text, however deep it is.
    return Lark.open("grammar.lark", rel_to=__file__, parser="lalr", transformer=_Actions())


class _Part(NamedTuple):
    """A part of the text that was understood."""

    node: Node
    column: int
    terms: int = 1
    depth: int = 0


class _Actions:
    """What each rule of the grammar makes of its children."""

    def word(self, children: "list[Token]") -> _Part:
        return _Part(Words(str(children[0])), _column(children[0]))

    def quoted_words(self, children: "list[Token]") -> _Part:
        (token,) = children
        text = unescaped(token[1:-1])
        if not text:
            message = gettext("there is nothing between these quotes")
            raise FilterError(message, _column(token), gettext("words in quotes"))
        return _Part(Words(text), _column(token))

    def value(self, children: "list[Token]") -> Value:
        (token,) = children
        if token.type == "QUOTED":
            return Value(unescaped(token[1:-1]), True, _column(token))
        return Value(str(token), False, _column(token))

    def any_of(self, children: "list[Any]") -> _Part:
        token, *values = children
        column = _column(token)
        field = field_named(str(token), column)
        if len(values) > MAX_TERMS:
            raise _too_many(values[MAX_TERMS].column)
        matchers = tuple(field.kind.match(value) for value in values)
        return _Part(Term(field, matchers[0] if len(matchers) == 1 else Either(matchers)), column, len(values))

    def compare(self, children: "list[Any]") -> _Part:
        token, operator, value = children
        column = _column(token)
        field = field_named(str(token), column)
        if operator == "=":
            return _Part(Term(field, field.kind.match(value)), column)
        if operator == "!=":
            return _Part(Not(Term(field, field.kind.match(value))), column)
        return _Part(Term(field, field.kind.compare(str(operator), value)), column)

    def group(self, children: "list[Any]") -> _Part:
        token, part = children
        return _deeper(token, part, part.node)

    def negation(self, children: "list[Any]") -> _Part:
        token, part = children
        return _deeper(token, part, Not(part.node))

    def and_expr(self, children: list[_Part]) -> _Part:
        return _together(And(tuple(part.node for part in children)), children)

    def or_expr(self, children: list[_Part]) -> _Part:
        return _together(Or(tuple(part.node for part in children)), children)


def _column(token: "Token") -> int:
    return (token.start_pos or 0) + 1


def _deeper(token: "Token", part: _Part, node: Node) -> _Part:
    if part.depth == MAX_DEPTH:
        message = gettext("parentheses and NOT go at most %d deep") % MAX_DEPTH
        raise FilterError(message, _column(token), gettext("%d levels or fewer") % MAX_DEPTH)
    return _Part(node, _column(token), part.terms, part.depth + 1)


def _together(node: Node, parts: list[_Part]) -> _Part:
    terms = 0
    for part in parts:
        terms += part.terms
        if terms > MAX_TERMS:
            raise _too_many(part.column)
    return _Part(node, parts[0].column, terms, max(part.depth for part in parts))


def _too_many(column: int) -> FilterError:
    return FilterError(gettext("a filter has at most %d terms") % MAX_TERMS, column, gettext("fewer terms"))


def _misfit(text: str, position: int, expected: set[str]) -> FilterError:
    """The error for what stands at *position*, from 0, instead of one of the *expected* terminals."""
    if expected >= _TERM_BEGINS:
        wanted = gettext("a word or a field such as signal:")
    else:
        wanted = either(gettext(IN_WORDS[name]) for name in sorted(expected))
    rest = text[position:].rstrip()
    if not rest:
        return FilterError(gettext("the filter ends too early"), position + 1, wanted)
    if rest[0] == '"':
        return FilterError(gettext("this quote is never closed"), position + 1, gettext('a closing "'))
    operator = _OPERATOR.match(rest)
    if operator is not None and expected & {"_COLON", "OPERATOR"}:
        message = gettext("no value touches the %s") % operator[0]
        return FilterError(message, position + operator.end() + 1, gettext("a value"))
    if rest[0] == "," and "_COMMA" in expected:
        return FilterError(gettext("no value touches the comma"), position + 2, gettext("a value"))
    if operator is not None:
        message = gettext("no field is before the %s; to look for the words, put them in quotes") % operator[0]
        return FilterError(message, position + 1, wanted)
    return FilterError(gettext('"%s" does not fit here') % rest.split()[0][:20], position + 1, wanted)
