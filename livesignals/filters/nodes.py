"""The tree of a filter: each node compiles to a predicate, to SQL and to English, and asks a search index."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext, pgettext

from livesignals.events import Event
from livesignals.filters.candidates import Candidates, Segment
from livesignals.filters.fields import Field
from livesignals.filters.matchers import Matcher
from livesignals.filters.sources import Predicate
from livesignals.filters.sql import Sql, joined
from livesignals.filters.text import event_text, fold, said_in_json


class Node:
    """A part of a filter."""

    def predicate(self) -> Predicate:
        """A closure that says whether the part holds for an event."""
        raise NotImplementedError

    def sql(self) -> Sql:
        """The same over a row; NULL is false."""
        raise NotImplementedError

    def candidates(self, segment: Segment) -> Candidates:
        """The events of a search index that it holds."""
        raise NotImplementedError

    def english(self) -> str:
        """What it means, for people; in the language that is active, whatever it is called."""
        raise NotImplementedError


@dataclass(frozen=True)
class Everything(Node):
    """The empty filter."""

    def predicate(self) -> Predicate:
        return lambda event: True

    def sql(self) -> Sql:
        return Sql("1")

    def candidates(self, segment: Segment) -> Candidates:
        return Candidates(segment.everything, segment.everything)

    def english(self) -> str:
        return gettext("every send")


@dataclass(frozen=True)
class Term(Node):
    """A field and what its value must be like."""

    field: Field
    matcher: Matcher

    def predicate(self) -> Predicate:
        return self.field.source.predicate(self.matcher)

    def sql(self) -> Sql:
        return self.field.source.sql(self.matcher)

    def candidates(self, segment: Segment) -> Candidates:
        return self.field.source.candidates(segment, self.field.name, self.matcher)

    def english(self, negated: bool = False) -> str:
        if negated and self.field.source.many:
            return f"{pgettext('noun', self.field.none)} {self.matcher.english()}"
        noun = pgettext("noun", self.field.noun) if self.field.noun else ""
        return f"{noun} {self.matcher.english(negated)}".lstrip()


@dataclass(frozen=True)
class Words(Node):
    """Text that the event must say somewhere."""

    text: str

    def predicate(self) -> Predicate:
        needle = self._needle
        return lambda event: needle in event_text(event)

    def sql(self) -> Sql:
        return Sql("livesignals_says(body, ?, ?)", (self._needle, said_in_json(self._needle)))

    def candidates(self, segment: Segment) -> Candidates:
        lines = [line for line in self._needle.split("\n") if line]
        maybe = segment.everything
        for line in lines:
            maybe &= segment.saying(line) | segment.loose
        # Over a border between lines they would also have to follow each other.
        sure = maybe & ~(segment.cut | segment.loose) if "\n" not in self._needle else 0
        return Candidates(sure, maybe)

    @property
    def _needle(self) -> str:
        return fold(self.text)

    def english(self, negated: bool = False) -> str:
        return (gettext('it does not say "%s"') if negated else gettext('it says "%s"')) % self.text


@dataclass(frozen=True)
class Not(Node):
    """The opposite."""

    part: Node

    def predicate(self) -> Predicate:
        holds = self.part.predicate()
        return lambda event: not holds(event)

    def sql(self) -> Sql:
        text, params = self.part.sql()
        return Sql(f"({text}) IS NOT TRUE", params)

    def candidates(self, segment: Segment) -> Candidates:
        sure, maybe = self.part.candidates(segment)
        return Candidates(segment.everything & ~maybe, segment.everything & ~sure)

    def english(self) -> str:
        if isinstance(self.part, Term | Words):
            return self.part.english(negated=True)
        return gettext("not (%s)") % self.part.english()


@dataclass(frozen=True)
class And(Node):
    """All of two parts or more."""

    parts: tuple[Node, ...]

    def predicate(self) -> Predicate:
        checks = [part.predicate() for part in self.parts]
        if len(checks) == 2:
            first, second = checks
            return lambda event: first(event) and second(event)
        return lambda event: all(holds(event) for holds in checks)

    def sql(self) -> Sql:
        return joined("AND", [part.sql() for part in self.parts])

    def candidates(self, segment: Segment) -> Candidates:
        found = Candidates(segment.everything, segment.everything)
        for part in self.parts:
            if not found.maybe:
                break
            found &= part.candidates(segment)
        return found

    def english(self) -> str:
        return _english(pgettext("filter", "and"), self.parts)


@dataclass(frozen=True)
class Or(Node):
    """At least one of two parts or more."""

    parts: tuple[Node, ...]

    def predicate(self) -> Predicate:
        checks = [part.predicate() for part in self.parts]
        if len(checks) == 2:
            first, second = checks
            return lambda event: first(event) or second(event)
        return lambda event: any(holds(event) for holds in checks)

    def sql(self) -> Sql:
        return joined("OR", [part.sql() for part in self.parts])

    def candidates(self, segment: Segment) -> Candidates:
        found = Candidates(0, 0)
        for part in self.parts:
            found |= part.candidates(segment)
        return found

    def english(self) -> str:
        return _english(pgettext("filter", "or"), self.parts)


def _english(word: str, parts: tuple[Node, ...]) -> str:
    return f" {word} ".join(f"({part.english()})" if isinstance(part, And | Or) else part.english() for part in parts)


@dataclass(frozen=True)
class Filter:
    """A filter that can be used: ``parse`` makes it."""

    source: str  # as it was typed, stripped
    root: Node = field(hash=False)
    matches: Callable[[Event], bool] = field(compare=False, repr=False)

    def sql(self) -> tuple[str, list[Any]]:
        """A WHERE expression over the columns of the journal's ``events`` table, and its parameters.

        The connection needs ``sql.register``.
        """
        text, params = self.root.sql()
        return text, list(params)

    def english(self) -> str:
        """The filter in a sentence, for people."""
        return self.root.english()

    def candidates(self, segment: Segment) -> Candidates:
        """The events of a part of a search index that the filter holds."""
        return self.root.candidates(segment)

    @property
    def is_empty(self) -> bool:
        return isinstance(self.root, Everything)
