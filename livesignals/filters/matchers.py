"""What a value must be like. Each matcher is a check in Python, the same in SQL, in a search index and in English.

``check()`` gives a closure that takes one value of a field; ``sql(x)`` takes that value as an SQL
expression, which holds no parameters; ``find(column)`` gives the events with such a value as a set of
`livesignals.filters.candidates`. Text comes folded, unless the field is an identifier.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from math import inf
from operator import ge, gt, le, lt
from typing import Any

from django.utils.translation import pgettext

from livesignals.filters.candidates import Column, Number
from livesignals.filters.sql import Sql, joined, last_part, number

Check = Callable[[Any], bool]

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_COMPARISONS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    ">": (gt, "is over"),
    ">=": (ge, "is at least"),
    "<": (lt, "is under"),
    "<=": (le, "is at most"),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


#: Each with its opposite. In the catalogue under "verb".
VERBS = {
    "is": "is not",
    "contains": "does not contain",
    "matches": "does not match",
    "is given": "is not given",
    **{verb: f"is not{verb[2:]}" for _, verb in _COMPARISONS.values()},
    **{verb: f"is not{verb[2:]}" for verb in ("is after", "is before", "is at or after", "is at or before")},
}


class Matcher(ABC):
    """One way for a value to match."""

    verb: str = "is"

    @abstractmethod
    def check(self) -> Check: ...

    @abstractmethod
    def sql(self, x: str) -> Sql: ...

    @abstractmethod
    def find(self, column: Column) -> int: ...

    @property
    @abstractmethod
    def shown(self) -> str:
        """What follows the verb in English."""

    def english(self, negated: bool = False) -> str:
        """As in "is not post_save"."""
        return f"{_verb(self.verb, negated)} {self.shown}".rstrip()


def union(sets: Iterable[int]) -> int:
    """The events in any of some sets."""
    found = 0
    for each in sets:
        found |= each
    return found


def _verb(verb: str, negated: bool) -> str:
    return pgettext("verb", VERBS[verb] if negated else verb)


def either(words: Iterable[str]) -> str:
    """ "a or b"."""
    return f" {pgettext('filter', 'or')} ".join(words)


@dataclass(frozen=True)
class Same(Matcher):
    """Equal text."""

    needle: str

    def check(self) -> Check:
        return self.needle.__eq__

    def sql(self, x: str) -> Sql:
        return Sql(f"{x} = ?", (self.needle,))

    def find(self, column: Column) -> int:
        return column.equal(self.needle)

    @property
    def shown(self) -> str:
        return self.needle or pgettext("filter", "empty")


@dataclass(frozen=True)
class Dotted(Same):
    """A dotted name, or its ending after one of the dots."""

    def check(self) -> Check:
        needle, ending = self.needle, f".{self.needle}"
        return lambda value: value == needle or value.endswith(ending)

    def sql(self, x: str) -> Sql:
        return Sql(f"({x} = ? OR {x} GLOB ?)", (self.needle, f"*.{glob_literal(self.needle)}"))

    def find(self, column: Column) -> int:
        return column.holding(self.needle, self.check())


@dataclass(frozen=True)
class Containing(Same):
    """Text with the needle somewhere in it."""

    verb = "contains"

    def check(self) -> Check:
        needle = self.needle
        return lambda value: needle in value

    def sql(self, x: str) -> Sql:
        return Sql(f"instr({x}, ?) > 0", (self.needle,))

    def find(self, column: Column) -> int:
        return column.holding(self.needle, self.check())


def glob_literal(text: str) -> str:
    """*text* as a GLOB pattern that matches only itself."""
    return re.sub(r"[\[*?]", r"[\g<0>]", text)


@dataclass(frozen=True)
class Glob(Matcher):
    """Text that fits a pattern, in which ``*`` is any run of characters and ``?`` any one."""

    pattern: str
    verb = "matches"

    @property
    def syntax(self) -> str:
        """The pattern as both ``fnmatch`` and SQLite read it: brackets stand for themselves with us."""
        return re.sub(r"\*+", "*", self.pattern.replace("[", "[[]"))

    def check(self) -> Check:
        # translate() leaves nothing to try twice, so that "*a*a*a*" cannot be made to take long.
        fits = re.compile(translate(self.syntax)).match
        return lambda value: fits(value) is not None

    def sql(self, x: str) -> Sql:
        return Sql(f"{x} GLOB ?", (self.syntax,))

    def find(self, column: Column) -> int:
        return column.holding(max(re.split(r"[*?]", self.pattern), key=len), self.check())

    @property
    def shown(self) -> str:
        return self.pattern


@dataclass(frozen=True)
class DottedGlob(Glob):
    """A dotted name that fits a pattern as a whole or by its last part."""

    def check(self) -> Check:
        fits = re.compile(translate(self.syntax)).match
        return lambda value: fits(value) is not None or fits(value.rpartition(".")[2]) is not None

    def sql(self, x: str) -> Sql:
        # The last part is dear to find: first see whether any ending fits.
        text = f"({x} GLOB ? OR ({x} GLOB ? AND {last_part(x)} GLOB ?))"
        return Sql(text, (self.syntax, f"*.{self.syntax}", self.syntax))


@dataclass(frozen=True)
class CauseKind(Matcher):
    """A cause, as "kind name", of one kind."""

    kind: str

    def check(self) -> Check:
        start = f"{self.kind} "
        return lambda value: value.startswith(start)

    def sql(self, x: str) -> Sql:
        return Sql(f"{x} GLOB ?", (f"{self.kind} *",))

    def find(self, column: Column) -> int:
        return column.holding(f"{self.kind} ", self.check())

    @property
    def shown(self) -> str:
        return pgettext("cause", f"a {self.kind}")


@dataclass(frozen=True)
class CauseGlob(Glob):
    """A cause, as "kind name", that fits a pattern as a whole or by its name."""

    def check(self) -> Check:
        fits = re.compile(translate(self.syntax)).match
        return lambda value: fits(value) is not None or fits(value.partition(" ")[2]) is not None

    def sql(self, x: str) -> Sql:
        name = f"iif(instr({x}, ' '), substr({x}, instr({x}, ' ') + 1), '')"
        return Sql(f"({x} GLOB ? OR {name} GLOB ?)", (self.syntax, self.syntax))


@dataclass(frozen=True)
class OneOf(Matcher):
    """One of a set of words."""

    words: tuple[str, ...]

    def check(self) -> Check:
        return frozenset(self.words).__contains__

    def sql(self, x: str) -> Sql:
        return Sql(f"{x} IN ({', '.join('?' * len(self.words))})", self.words)

    def find(self, column: Column) -> int:
        return union(map(column.equal, self.words))

    @property
    def shown(self) -> str:
        return either(self.words)


@dataclass(frozen=True)
class Compare(Matcher):
    """A number on one side of another."""

    operator: str
    number: Number
    written: str

    @property
    def verb(self) -> str:  # type: ignore[override]
        return _COMPARISONS[self.operator][1]

    def check(self) -> Check:
        compare, number = _COMPARISONS[self.operator][0], self.number
        return lambda value: compare(value, number)

    def sql(self, x: str) -> Sql:
        return Sql(f"{x} {self.operator} ?", (self.number,))

    def find(self, column: Column) -> int:
        if self.operator in ("<", "<="):
            return column.between(-inf, self.number, below=self.operator == "<")
        return column.between(self.number, inf, above=self.operator == ">")

    @property
    def shown(self) -> str:
        return self.written


@dataclass(frozen=True)
class Between(Matcher):
    """A number within two, both included."""

    low: Number
    high: Number
    written: str

    def check(self) -> Check:
        low, high = self.low, self.high
        return lambda value: low <= value <= high

    def sql(self, x: str) -> Sql:
        if self.low == self.high:
            return Sql(f"{x} = ?", (self.low,))
        return Sql(f"{x} BETWEEN ? AND ?", (self.low, self.high))

    def find(self, column: Column) -> int:
        return column.between(self.low, self.high)

    @property
    def shown(self) -> str:
        return self.written


@dataclass(frozen=True)
class Within(Matcher):
    """A moment from ``first`` to ``last``, both included; None is open."""

    first: datetime | None
    last: datetime | None
    written: str
    verb: str = "is"

    def check(self) -> Check:
        # Times of events have one fixed form, in which text is in order of time.
        first = "" if self.first is None else _stamp(self.first)
        last = "~" if self.last is None else _stamp(self.last)
        return lambda value: first <= value <= last

    def sql(self, x: str) -> Sql:
        parts = []
        if self.first is not None:
            parts.append(Sql(f"{x} >= ?", (_microseconds(self.first),)))
        if self.last is not None:
            parts.append(Sql(f"{x} <= ?", (_microseconds(self.last),)))
        return joined("AND", parts)

    def find(self, column: Column) -> int:
        first = -inf if self.first is None else _microseconds(self.first)
        return column.between(first, inf if self.last is None else _microseconds(self.last))

    @property
    def shown(self) -> str:
        return self.written


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Numeric(Matcher):
    """Text that spells a number for which another matcher holds."""

    inner: Matcher

    @property
    def verb(self) -> str:  # type: ignore[override]
        return self.inner.verb

    def check(self) -> Check:
        check = self.inner.check()
        return lambda value: (spelt := spelt_number(value)) is not None and check(spelt)

    def sql(self, x: str) -> Sql:
        return self.inner.sql(number(x))

    def find(self, column: Column) -> int:
        return self.inner.find(column)

    @property
    def shown(self) -> str:
        return self.inner.shown


def spelt_number(text: str) -> Number | None:
    """The number that *text* spells in JSON, as SQLite reads it: an integer over 64 bits as a float."""
    found = _JSON_NUMBER.fullmatch(text)
    if found is None:
        return None
    if found.lastindex is None and len(text) < 21 and -(2**63) <= (integer := int(text)) < 2**63:
        return integer
    return float(text)


@dataclass(frozen=True)
class Present(Matcher):
    """Any value but an empty one."""

    verb = "is given"

    def check(self) -> Check:
        return lambda value: value != ""

    def sql(self, x: str) -> Sql:
        return Sql(f"{x} <> ''")

    def find(self, column: Column) -> int:
        return column.holding("", self.check())

    @property
    def shown(self) -> str:
        return ""


@dataclass(frozen=True)
class Either(Matcher):
    """A value for which at least one of several matchers holds."""

    options: tuple[Matcher, ...]

    def check(self) -> Check:
        checks = [option.check() for option in self.options]
        return lambda value: any(check(value) for check in checks)

    def sql(self, x: str) -> Sql:
        return joined("OR", [option.sql(x) for option in self.options])

    def find(self, column: Column) -> int:
        return union(option.find(column) for option in self.options)

    @property
    def shown(self) -> str:
        return either(dict.fromkeys(option.shown for option in self.options))

    def english(self, negated: bool = False) -> str:
        if len({option.verb for option in self.options}) == 1:
            verb = self.options[0].verb
            return f"{_verb(verb, negated)} {self.shown}"
        said = [option.english(negated) for option in self.options]
        return f" {pgettext('filter', 'and')} ".join(said) if negated else either(said)
