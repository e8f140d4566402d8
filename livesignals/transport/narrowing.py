"""What a page asks while somebody narrows its filter. On the event loop.

Completions and terms are answered with the number of the request, so that the page tells late answers apart. Facets
are told while they are open. A search further back begins where the page says, since it need not have kept what it
was sent; another one, or another filter, ends it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Protocol

from livesignals.exceptions import FilterError, JournalError
from livesignals.filters import Filter, narrow
from livesignals.transport.completing import completions
from livesignals.transport.faceting import Faceting
from livesignals.transport.feed import Feed
from livesignals.transport.searching import Search, Searching, Show

#: Rows that one search further back brings.
MORE_ROWS = 100


class Asked(Protocol):
    """A command, as the consumer understood it."""

    type: str
    epoch: str | None
    id: int | None
    filter: str
    request: int
    column: int
    field: str
    operator: str
    value: str
    negate: bool
    open: bool


class Reader(Protocol):
    """The page's end on the server."""

    feed: Feed
    filter: Filter
    epoch: str
    needs_reset: bool

    async def _say(self, **message: Any) -> bool: ...
    async def _error(self, of: str, message: str, *, column: int | None = None, expected: str = "") -> None: ...


class Narrowing:
    """The filter field of one page, its facets and its search."""

    def __init__(self, reader: Reader, show: Show) -> None:
        """*show* takes what a search finds piece by piece."""
        self._reader = reader
        self._searching = Searching(show)
        self._facets = Faceting(reader.feed, reader)
        #: Whether the page shows more of the past than it has room for beside what is new.
        self.went_back = False

    def begin(self, search: Search) -> None:
        """Carry on the search of a list that was begun anew."""
        self.went_back = False
        self._searching.go_on(search)

    def stop(self) -> None:
        """What is looked for is not wanted any more: the list is about to be begun anew."""
        self._searching.stop()

    def change(self) -> None:
        """The filter is another one."""
        self._searching.stop()
        self._facets.poke()

    def end(self) -> None:
        """The page is gone."""
        self._searching.stop()
        self._facets.close()

    async def obey(self, command: Asked) -> None:
        """Carry out one of COMMANDS."""
        await self._OBEY[command.type](self, command)

    async def _complete(self, command: Asked) -> None:
        try:
            offered = await completions(self._reader.feed, command.filter, command.column)
        except JournalError:
            offered = []  # the feed says what is wrong with it
        options = [offer._asdict() for offer in offered]
        await self._reader._say(type="completions", request=command.request, options=options)

    async def _narrow(self, command: Asked) -> None:
        try:
            text = narrow(command.filter, command.field, command.value, command.negate, command.operator)
        except FilterError as error:
            await self._reader._error("narrow", error.message, column=error.column, expected=error.expected)
        else:
            await self._reader._say(type="narrowed", request=command.request, filter=text)

    async def _more(self, command: Asked) -> None:
        reader = self._reader
        if command.epoch != reader.epoch or command.id is None or reader.needs_reset:
            return  # of a list that is not there any more
        self.went_back = True
        before = max(0, min(command.id, reader.feed.head + 1))
        search = Search(reader.feed, reader.filter, before, MORE_ROWS)
        self._searching.go_on(search)
        await self.tell(search)

    async def _stop(self, command: Asked) -> None:
        self._searching.stop()
        if self._searching.search is not None:
            await self.tell(self._searching.search)

    async def _count(self, command: Asked) -> None:
        if command.open:
            self._facets.open()
        else:
            self._facets.close()

    _OBEY: ClassVar[dict[str, Callable[["Narrowing", Asked], Awaitable[None]]]] = {
        "complete": _complete,
        "narrow": _narrow,
        "more": _more,
        "stop": _stop,
        "facets": _count,
    }
    COMMANDS = tuple(_OBEY)

    async def tell(self, search: Search) -> None:
        """How far *search* is."""
        await self._reader._say(
            type="searched",
            filter=search.filter.source,
            position=search.position,
            to_ts=search.back_to or None,
            matched=search.matched,
            exhausted=search.exhausted,
            running=search.goes_on,
        )
