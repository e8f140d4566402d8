"""Waiting for a client that reads slowly. Daphne's own ``send`` never waits: what is sent stays in memory until then.

Twisted tells whoever is registered as the producer of a response, or of a connection, when its buffer is full, and
when there is room.
"""

import asyncio
from typing import Any

#: By request, or connection: set while there is room.
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


async def socket_drained(transport: Any) -> None:
    """The same of a WebSocket's connection."""
    room = getattr(transport, _KEY, None)
    if room is None:
        room = _Room()
        setattr(transport, _KEY, room)
        _register(transport, room)  # in the place of the HTTP channel that it was before it became a socket
    if not room.is_there.is_set():
        await room.is_there.wait()
        _register(transport, room)  # what is to be closed by now waits for the end of its producer


def _register(transport: Any, room: _Room) -> None:
    transport.unregisterProducer()
    transport.registerProducer(room, True)
