"""The plain way: one ``group_send`` an event, which each consumer decodes, filters and renders for itself.

``tests.benchmarks.inside.plain:application`` is what daphne serves. ``python -m tests.benchmarks.inside.plain READERS
RATE SECONDS`` sends, by a receiver as one would write it. ``BENCH_REDIS`` is the URL of the Redis between them.
"""

import json
import os
import sys
import time
from typing import Any

import django
from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import channel_layers
from channels.routing import ProtocolTypeRouter
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.dispatch import Signal

django.setup()

from livesignals.dashboard import rendering  # noqa: E402 - after Django's set-up
from livesignals.events import Event, Process, decode, encode  # noqa: E402
from livesignals.filters import parse  # noqa: E402

GROUP = "plain"
layer = RedisPubSubChannelLayer(hosts=[os.environ["BENCH_REDIS"]])
channel_layers.set("default", layer)


class PlainConsumer(AsyncWebsocketConsumer):
    groups = [GROUP]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        message = json.loads(text_data or "{}")
        if message["type"] == "hello":
            self.filter, self.frame = parse(message["filter"]), 0
            await self.show("")

    async def plain_event(self, message: dict[str, Any]) -> None:
        event = decode(message["event"])
        if self.filter.matches(event):
            await self.show(rendering.row_html(event))

    async def show(self, content: str) -> None:
        self.frame += 1
        await self.send(json.dumps({"type": "rows", "frame": self.frame, "content": content}))


application = ProtocolTypeRouter({"websocket": PlainConsumer.as_asgi()})


def send(readers: int, rate: int, seconds: int) -> None:
    """Prints when each event was sent, by id, and how many seconds that took."""
    flood, sent = Signal(), {}

    def receiver(sender: str, number: int, **named: Any) -> None:
        event = Event(
            id=number,
            uid=f"u{number}",
            root=f"u{number}",
            ts="2026-01-02T03:04:05.678901Z",
            signal="tests.flood",
            family="custom",
            sender=sender,
            process=Process(host="here", pid=1, seq=number),
        )
        async_to_sync(layer.group_send)(GROUP, {"type": "plain.event", "event": encode(event).decode()})

    flood.connect(receiver)
    began = time.perf_counter()
    for number in range(rate * seconds):
        late = time.perf_counter() - began - number / rate
        if late < 0:
            time.sleep(-late)
        if late > seconds:
            break  # it takes more than twice as long as it should: enough is known
        sent[number] = time.time()
        flood.send(sender=str(number % readers), number=number)
    print(json.dumps({"took": time.perf_counter() - began, "sent": sent}))


if __name__ == "__main__":
    send(*map(int, sys.argv[1:]))
