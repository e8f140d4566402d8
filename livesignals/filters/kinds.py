"""How the value of a field is written, and the matcher that it means."""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import isfinite
from typing import NamedTuple

from django.utils.translation import gettext

from livesignals.exceptions import FilterError
from livesignals.filters.candidates import Number
from livesignals.filters.matchers import (
    Between,
    CauseGlob,
    CauseKind,
    Compare,
    Containing,
    Either,
    Glob,
    Matcher,
    Numeric,
    OneOf,
    Present,
    Same,
    Within,
)
from livesignals.filters.text import fold

_NUMBER = re.compile(r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?)([a-zµμ]*)", re.IGNORECASE)
_MICROSECONDS = {"": 1e3, "us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3_600e6}
_MOMENT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?(Z|[-+]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
CAUSE_KINDS = ("request", "command", "task", "test", "shell", "process")


class Value(NamedTuple):
    """One value as it was typed, without its quotes; ``column`` is where it begins."""

    text: str
    quoted: bool
    column: int

    @property
    def is_glob(self) -> bool:
        """What is in quotes stands for itself."""
        return not self.quoted and ("*" in self.text or "?" in self.text)

    @property
    def ends(self) -> "tuple[Value, Value] | None":
        """Both ends, when this is written as a range."""
        low, dots, high = self.text.partition("..")
        if self.quoted or not dots:
            return None
        return Value(low, False, self.column), Value(high, False, self.column + len(low) + 2)


class Kind:
    """A way to write values. ``expected`` says in words what may follow the colon; a key into the catalogue."""

    expected: str = "a value"
    #: All there is to choose from, with what each means; empty when anything goes.
    choices: Mapping[str, str] = {}

    def match(self, value: Value) -> Matcher:
        """What *value* means after ``:``. Raises FilterError."""
        if value.text == "*" and not value.quoted:
            return Present()
        return self.read(value)

    def read(self, value: Value) -> Matcher:
        """What *value* means when it is not the lone ``*`` for "is there"."""
        raise NotImplementedError

    def compare(self, operator: str, value: Value) -> Matcher:
        """What *value* means after one of ``> >= < <=``. Raises FilterError."""
        message = gettext("only numbers and times can be compared with %s") % operator
        raise FilterError(message, value.column - len(operator), ":")

    def refuse(self, value: Value, hint: str = "") -> FilterError:
        expected = gettext(self.expected)
        message = gettext('"%(value)s" is not %(expected)s') % {"value": value.text, "expected": expected}
        return FilterError(message + hint, value.column, expected)


@dataclass(frozen=True)
class Text(Kind):
    """Text, as a whole. An identifier minds case, which lets the journal look it up in an index."""

    same: type[Same] = Same
    glob: type[Glob] = Glob
    identifier: bool = False

    def read(self, value: Value) -> Matcher:
        text = value.text if self.identifier else fold(value.text)
        return self.glob(text) if value.is_glob else self.same(text)


class CauseText(Kind):
    """A kind of cause by its name, else words out of "kind name"."""

    def read(self, value: Value) -> Matcher:
        text = fold(value.text)
        if value.is_glob:
            return CauseGlob(text)
        if text in CAUSE_KINDS:
            return CauseKind(text)
        return Containing(text) if text else Same(text)


class Choice(Kind):
    """One of a few words; with *titles*, also the beginning of a word or of its title."""

    def __init__(
        self,
        choices: Mapping[str, str],
        titles: Mapping[str, str] | None = None,
        matcher: Callable[[tuple[str, ...]], Matcher] = OneOf,
    ) -> None:
        self.choices = choices
        self.titles = titles or {}
        self.matcher = matcher

    @property
    def expected(self) -> str:  # type: ignore[override]
        return gettext("one of %s") % ", ".join(self.choices)

    def match(self, value: Value) -> Matcher:
        text = fold(value.text)
        if text in self.choices:
            found = [text]
        elif value.is_glob:
            pattern = Glob(text).syntax
            found = [word for word in self.choices if fnmatchcase(word, pattern)]
        else:
            titles = self.titles.items() if text else ()
            found = [word for word, title in titles if word.startswith(text) or fold(title).startswith(text)]
        if not found:
            near = get_close_matches(text, self.choices, 1)
            raise self.refuse(value, f"; {gettext('did you mean %s?') % near[0]}" if near else "")
        return self.matcher(tuple(found))


class Numbers(Kind):
    """A number, or a range of two."""

    expected = "a number, or a range such as 1..5"

    def read(self, value: Value) -> Matcher:
        if (ends := value.ends) is not None:
            low, high = ends
            first, last = self.number(low), self.number(high)
            return Between(first, last, _span(self.written(low), self.written(high)))
        number = self.number(value)
        return Between(number, number, self.written(value))

    def compare(self, operator: str, value: Value) -> Matcher:
        return Compare(operator, self.number(value), self.written(value))

    def written(self, value: Value) -> str:
        """The number as people read it."""
        return value.text

    def number(self, value: Value) -> Number:
        """Raises FilterError for anything but a plain number."""
        number, unit = self._spelt(value)
        if unit:
            raise self.refuse(value)
        return number

    def _spelt(self, value: Value) -> tuple[Number, str]:
        found = _NUMBER.fullmatch(value.text)
        if found is None:
            raise self.refuse(value)
        spelt, unit = found.groups()
        number = float(spelt)
        if not isfinite(number):
            raise FilterError(gettext("this number is too large"), value.column, gettext(self.expected))
        if re.fullmatch(r"[-+]?[0-9]{1,18}", spelt):
            return int(spelt), unit
        return number, unit


class Durations(Numbers):
    """A time span in microseconds; written in milliseconds unless a unit says otherwise."""

    expected = "a duration such as 5ms, or a range such as 5ms..1s (units us, ms, s, m, h)"

    def number(self, value: Value) -> Number:
        number, unit = self._spelt(value)
        factor = _MICROSECONDS.get(unit.lower())
        if factor is None:
            raise self.refuse(value)
        return number * factor

    def written(self, value: Value) -> str:
        _, unit = self._spelt(value)
        return f"{value.text.removesuffix(unit)} {unit or 'ms'}"


class Moments(Kind):
    """A time in ISO form, or the beginning of one, which stands for all the time that begins so."""

    expected = "a time such as 2026-01-02 or 2026-01-02T03:04, or a range of two"

    def read(self, value: Value) -> Matcher:
        low, high = value.ends or (value, value)
        written = _span(low.text, high.text) if low is not high else value.text
        return Within(self._span(low)[0], self._span(high)[1], written)

    def compare(self, operator: str, value: Value) -> Matcher:
        first, last = self._span(value)
        microsecond = timedelta(microseconds=1)
        try:
            if operator == ">":
                return Within(first + microsecond, None, value.text, "is after")
            if operator == "<":
                return Within(None, first - microsecond, value.text, "is before")
        except OverflowError:
            raise self.refuse(value) from None
        if operator == ">=":
            return Within(first, None, value.text, "is at or after")
        return Within(None, last, value.text, "is at or before")

    def _span(self, value: Value) -> tuple[datetime, datetime]:
        """The first and the last microsecond of what begins like *value*."""
        found = _MOMENT.fullmatch(value.text.upper())
        if found is None:
            raise self.refuse(value)
        *parts, zone = found.groups()
        given = [part for part in parts if part is not None]
        fraction = parts[6] or ""
        lowest = ["1", "1", "1", "0", "0", "0"]
        numbers = [int(part) for part in (given[:6] + lowest[len(given[:6]) :])]
        try:
            first = datetime(*numbers, int(fraction.ljust(6, "0")), tzinfo=UTC)  # type: ignore[misc, arg-type]
            last = _last(first, len(given), len(fraction))
            if zone not in (None, "Z"):
                hours, minutes = int(zone[1:3]), int(zone[4:])
                offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
                first, last = first - offset, last - offset
        except (ValueError, OverflowError):
            message = gettext('there is no time "%s"') % value.text
            raise FilterError(message, value.column, gettext(self.expected)) from None
        return first, last


def _span(low: str, high: str) -> str:
    return gettext("%(low)s to %(high)s") % {"low": low, "high": high}


def _last(first: datetime, parts: int, digits: int) -> datetime:
    """The last microsecond of the year, month, … or fraction of *digits* digits that begins at *first*."""
    last = first
    if parts == 1:
        last = last.replace(month=12)
    if parts <= 2:
        last = last.replace(day=monthrange(last.year, last.month)[1])
    if parts <= 3:
        last = last.replace(hour=23)
    if parts <= 4:
        last = last.replace(minute=59)
    if parts <= 5:
        last = last.replace(second=59)
    return last.replace(microsecond=last.microsecond + 10 ** (6 - digits) - 1)


class Payloads(Kind):
    """Any JSON value: as text, and as a number where both are numbers."""

    expected = "a value"

    def read(self, value: Value) -> Matcher:
        text = fold(value.text)
        if value.quoted:
            return Same(text)
        if (ends := value.ends) is not None and all(map(_is_number, ends)):
            return Numeric(Numbers().read(value))
        if value.is_glob:
            return Glob(text)
        if _is_number(value):
            return Either((Same(text), Numeric(Numbers().read(value))))
        return Same(text)

    def compare(self, operator: str, value: Value) -> Matcher:
        return Numeric(Numbers().compare(operator, value))


def _is_number(value: Value) -> bool:
    found = _NUMBER.fullmatch(value.text)
    return found is not None and not found[2]
