"""Ranges that are kept from eviction, by name: what a page asks for, where the journal can do so."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from livesignals.events.record import microseconds
from livesignals.exceptions import JournalError
from livesignals.journal import Journal

if TYPE_CHECKING:
    from livesignals.transport.consumer import Command, LiveConsumer

MOST_NAME_CHARS = 60


class Pin(Protocol):
    """A kept range of ids."""

    @property
    def name(self) -> str: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


@runtime_checkable
class Keeping(Protocol):
    """What a journal has that can keep ranges."""

    def pin(self, name: str, first: int, last: int) -> Any: ...
    def unpin(self, name: str) -> Any: ...
    def pins(self) -> Sequence[Pin]: ...


async def keep(reader: "LiveConsumer", command: "Command") -> None:
    """Keep the range from ``first`` to ``last`` under a name."""
    name = " ".join(command.name.split())
    if not 0 < len(name) <= MOST_NAME_CHARS or command.first is None or command.last is None:
        expected = f"a name of 1 to {MOST_NAME_CHARS} characters, and the ids first and last"
        await reader._error("command", "this cannot be kept", expected=expected)
        return
    first, last = command.first, command.last
    await _change(reader, lambda journal: journal.pin(name, first, last))


async def let_go(reader: "LiveConsumer", command: "Command") -> None:
    """Let the range of that name be evicted as any other."""
    await _change(reader, lambda journal: journal.unpin(command.name))


async def tell(reader: "LiveConsumer") -> None:
    """Say what is kept, if anything can be."""
    try:
        kept = await reader.feed.run(_kept)
    except JournalError:
        return  # the feed says what is wrong with the journal
    if kept is not None:
        await reader._say(type="kept", ranges=kept)


async def _change(reader: "LiveConsumer", change: Any) -> None:
    def work(journal: Journal) -> None:
        if isinstance(journal, Keeping):
            change(journal)

    try:
        await reader.feed.run(work)
    except JournalError as error:
        await reader._error("keep", str(error), expected=error.hint)
    except ValueError as error:  # more than a journal keeps
        await reader._error("keep", str(error))
    await tell(reader)


def _kept(journal: Journal) -> list[dict[str, Any]] | None:
    if not isinstance(journal, Keeping):
        return None
    kept = []
    for pin in journal.pins():
        ends = journal.get(pin.first), journal.get(pin.last)
        times = [microseconds(event.ts) if event else None for event in ends]
        kept.append({"name": pin.name, "first": pin.first, "last": pin.last, "from": times[0], "to": times[1]})
    return kept
