"""The words after ``is:``, each with what it means in an event, in SQL and in English."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.translation import pgettext

from livesignals.events import Event
from livesignals.filters.candidates import Candidates, Column, Segment
from livesignals.filters.matchers import Check, Matcher, either, union
from livesignals.filters.sources import One
from livesignals.filters.sql import Sql, joined

SLOW_US = 10_000


@dataclass(frozen=True)
class Flag:
    """One word after ``is:``."""

    help: str
    holds: Callable[[Event], bool]
    sql: str
    english: str
    negated: str


def _tx_state(event: Event) -> str | None:
    return None if event.transaction is None else event.transaction.state


_ANY_RECEIVER = "EXISTS (SELECT 1 FROM json_each(body, '$.receivers') AS item WHERE "
_RAISED_RECEIVER = f"{_ANY_RECEIVER} item.value ->> 'status' = 'raised')"
_ASYNC_RECEIVER = f"{_ANY_RECEIVER} item.value ->> 'async')"


FLAGS: dict[str, Flag] = {
    "error": Flag(
        "the send or one of its receivers raised",
        lambda event: event.status == "raised" or any(call.status == "raised" for call in event.receivers),
        # Most bodies do not hold the word at all, which is quicker to see.
        f"(status = 'raised' OR (n > 0 AND instr(body, '\"raised\"') AND {_RAISED_RECEIVER}))",
        "something raised",
        "nothing raised",
    ),
    "slow": Flag(
        "it took 10 ms or longer",
        lambda event: event.duration_us is not None and event.duration_us >= SLOW_US,
        f"duration_us >= {SLOW_US}",
        "took 10 ms or longer",
        "took less than 10 ms",
    ),
    "nested": Flag(
        "a receiver of another send made it",
        lambda event: event.parent is not None,
        "parent IS NOT NULL",
        "made inside another send",
        "not made inside another send",
    ),
    "async": Flag(
        "sent with asend, or to an async receiver",
        lambda event: event.method.startswith("asend") or any(call.is_async for call in event.receivers),
        f"(method GLOB 'asend*' OR (n > 0 AND {_ASYNC_RECEIVER}))",
        "async",
        "not async",
    ),
    "robust": Flag(
        "sent with send_robust or asend_robust",
        lambda event: event.method.endswith("_robust"),
        "method GLOB '*_robust'",
        "sent robustly",
        "not sent robustly",
    ),
    "skipped": Flag(
        "Django left it out since nobody was connected",
        lambda event: event.status == "skipped",
        "status = 'skipped'",
        "skipped",
        "not skipped",
    ),
    "rolledback": Flag(
        "its transaction was rolled back",
        lambda event: _tx_state(event) == "rolled_back",
        "tx_state = 'rolled_back'",
        "rolled back",
        "not rolled back",
    ),
    "committed": Flag(
        "its transaction was committed",
        lambda event: _tx_state(event) == "committed",
        "tx_state = 'committed'",
        "committed in a transaction",
        "not committed in a transaction",
    ),
    "truncated": Flag(
        "not everything that it carried was kept",
        lambda event: "truncated" in event.flags,
        "instr(flags, ' truncated ')",
        "truncated",
        "not truncated",
    ),
    "masked": Flag(
        "something that it carried is masked",
        lambda event: "masked" in event.flags,
        "instr(flags, ' masked ')",
        "masked",
        "not masked",
    ),
    "counted": Flag(
        "it stands for sends that were counted instead of kept",
        lambda event: "counted" in event.flags,
        "instr(flags, ' counted ')",
        "counted instead of kept",
        "kept, not counted",
    ),
    "sampled": Flag(
        "SAMPLE decided whether it is kept or counted",
        lambda event: "sampled" in event.flags,
        "instr(flags, ' sampled ')",
        "sampled",
        "not sampled",
    ),
    "flooded": Flag(
        "it stands for sends beyond the ceiling that FLOOD sets",
        lambda event: "flooded" in event.flags,
        "instr(flags, ' flooded ')",
        "counted beyond the ceiling a second",
        "not counted for a ceiling",
    ),
    "noreceiver": Flag(
        "no receiver ran",
        lambda event: not event.receivers and "counted" not in event.flags,  # of a count nobody knows
        "(n = 0 AND NOT instr(flags, ' counted '))",
        "no receiver ran",
        "a receiver ran",
    ),
}


#: May come to hold for an event after it was stored.
OUTCOMES = frozenset({"committed", "rolledback"})


@dataclass(frozen=True)
class Flagged(Matcher):
    """An event, the only value that this matcher takes, with at least one of some flags."""

    words: tuple[str, ...]

    def check(self) -> Check:
        if len(self.words) == 1:
            return FLAGS[self.words[0]].holds
        checks = [FLAGS[word].holds for word in self.words]
        return lambda event: any(check(event) for check in checks)

    def sql(self, x: str) -> Sql:
        return joined("OR", [Sql(FLAGS[word].sql) for word in self.words])

    def find(self, column: Column) -> int:
        return union(map(column.equal, self.words))

    @property
    def shown(self) -> str:
        return either(pgettext("trait", FLAGS[word].english) for word in self.words)

    def english(self, negated: bool = False) -> str:
        if negated:
            said = [pgettext("trait", FLAGS[word].negated) for word in self.words]
            return f" {pgettext('filter', 'and')} ".join(said)
        return self.shown if len(self.words) == 1 else f"({self.shown})"


class Traits(One):
    """The event itself, for `Flagged`. In an index: the words that hold for it."""

    def candidates(self, segment: Segment, name: str, matcher: Matcher) -> Candidates:
        found = super().candidates(segment, name, matcher)
        may_come = isinstance(matcher, Flagged) and not OUTCOMES.isdisjoint(matcher.words)
        return Candidates(found.sure, found.maybe | segment.unsettled) if may_come else found
