"""Ranges that are kept from eviction, by name: what a page asks for."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from livesignals.events.record import microseconds
from livesignals.exceptions import JournalError, PinError
from livesignals.journal import Journal

if TYPE_CHECKING:
    from livesignals.transport.consumer import Command, LiveConsumer

MOST_NAME_CHARS = 60


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
    """Say what is kept."""
    try:
        kept = await reader.feed.run(_kept)
    except JournalError:
        return  # the feed says what is wrong with the journal
    await reader._say(type="kept", ranges=kept)


async def _change(reader: "LiveConsumer", change: Callable[[Journal], object]) -> None:
    try:
        await reader.feed.run(change)
    except (JournalError, PinError) as error:
        await reader._error("keep", str(error), expected=error.hint)
    await tell(reader)


def _kept(journal: Journal) -> list[dict[str, Any]]:
    kept = []
    for pin in journal.pins():
        ends = journal.get(pin.first), journal.get(pin.last)
        times = [microseconds(event.ts) if event else None for event in ends]
        kept.append({"name": pin.name, "first": pin.first, "last": pin.last, "from": times[0], "to": times[1]})
    return kept
