"""Taking what a Redis journal announces from its Channels group, on the server's event loop.

A process subscribes once, whoever looks. What is lost on the way, as when Redis restarts, is found by its ids.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from livesignals.events import splice
from livesignals.journal import Announcements
from livesignals.logs import Trouble

RETRY_SECONDS = 1.0
#: Batches that wait at most, since the layer's queue has no bound; beyond that they are read from the journal.
MOST_WAITING = 100


class Listener:
    """Hands each message of the group on. The layer is made at its first use and kept."""

    def __init__(self, take: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        self._take = take
        self._layer: Any = None
        self._task: asyncio.Task[None] | None = None
        self._is_on = False
        self._trouble = Trouble("livesignals: Redis can be listened to again")

    def start(self, announcements: Announcements) -> None:
        """Listen from now on, unless it is done already."""
        if not self._is_on:
            self._is_on = True
            self._task = asyncio.ensure_future(self._listen(announcements, self._task))

    def stop(self) -> None:
        self._is_on = False
        if self._task is not None:
            self._task.cancel()

    async def _listen(self, announcements: Announcements, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait([before])
        if self._layer is None:
            from channels_redis.pubsub import RedisPubSubChannelLayer

            self._layer = RedisPubSubChannelLayer(hosts=announcements.hosts, prefix=announcements.prefix)
        layer = self._layer
        try:
            channel = await self._subscribed(layer, announcements.group)
            # What was announced until now is only to be read.
            await self._take({"type": "livesignals.batch", "epoch": "", "after": 0, "last": 0})
            while True:
                message = await layer.receive(channel)
                waiting = layer.channels[channel]
                if waiting.qsize() > MOST_WAITING:
                    while not waiting.empty():
                        waiting.get_nowait()
                await self._take(message)
        finally:
            await layer.flush()

    async def _subscribed(self, layer: Any, group: str) -> str:
        while True:
            try:
                channel: str = await layer.new_channel()
                await layer.group_add(group, channel)
            except Exception as error:
                self._trouble.met(f"livesignals: what happens comes late, since Redis cannot be listened to: {error}")
                await layer.flush()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._trouble.over()
                return channel


def lines_of(message: dict[str, Any]) -> str:
    """The events of an announced batch as lines of JSON."""
    bodies = message["bodies"].encode().split(b"\n")
    epoch, first = message["epoch"], message["after"] + 1
    return b"\n".join([splice(epoch, first + place, body) for place, body in enumerate(bodies)]).decode()
