"""Waiting for a client that reads slowly. Daphne's own ``send`` never waits: what is sent stays in memory until then.

Twisted tells whoever is registered as the producer of a response when its buffer is full, and when there is room.
"""

import asyncio
from typing import Any

#: By request: set while there is room.
_KEY = "_livesignals_room"


class _Room:
    """Whether a connection takes more: a push producer, as Twisted calls it. On the event loop."""

    def __init__(self) -> None:
        self.is_there = asyncio.Event()
        self.is_there.set()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's names
        self.is_there.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self.is_there.set()

    def stopProducing(self) -> None:  # noqa: N802
        self.is_there.set()  # the client left: nothing more is written


async def drained(request: Any) -> None:
    """Wait until what was written to Daphne's *request* is small enough to go on."""
    room = getattr(request, _KEY, None)
    if room is None:
        room = _Room()
        setattr(request, _KEY, room)
        request.registerProducer(room, True)
    await room.is_there.wait()
