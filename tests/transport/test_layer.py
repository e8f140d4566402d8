"""The layer between a server's feed and its consumers."""

import asyncio

from livesignals.dashboard import rendering
from livesignals.journal.memory import MemoryJournal
from livesignals.transport.consumer import LiveConsumer
from livesignals.transport.feed import GROUP, Feed
from livesignals.transport.layer import InMemoryLayer, channel_layer
from tests.journal.building import Sender, make_events

PATIENCE = 20.0


def test_who_takes_nothing_for_long_stays_in_the_group() -> None:
    """Channels' own takes a channel with an expired message out of all groups: its page would hear of nothing more."""

    async def look_late() -> None:
        layer = InMemoryLayer(expiry=-1)
        await layer.group_add(GROUP, "late")
        for number in (1, 2):
            await layer.group_send(GROUP, {"type": "livesignals.batch", "number": number})
        told = [await asyncio.wait_for(layer.receive("late"), PATIENCE) for _ in range(2)]
        assert [message["number"] for message in told] == [1, 2]

    asyncio.run(look_late())


def test_one_whose_channel_is_full_keeps_nobody_else_waiting() -> None:
    """It does without the message, and the others get it."""

    async def overflow() -> None:
        layer = InMemoryLayer(capacity=2)
        for name in ("full", "other"):
            await layer.group_add(GROUP, name)
        for number in range(5):
            await layer.group_send(GROUP, {"type": "livesignals.batch", "number": number})
            assert (await layer.receive("other"))["number"] == number
        assert [(await layer.receive("full"))["number"] for _ in range(2)] == [0, 1]

    asyncio.run(overflow())


def test_a_consumer_that_the_server_ends_leaves_nothing() -> None:
    """Without a farewell, in the midst of what it is told: no member of the group, no channel, nobody who watches."""
    journal = MemoryJournal(project="", retain_events=1_000, retain_bytes=2**20)

    async def always() -> bool:
        return True

    async def end_it() -> None:
        feed, said = Feed(lambda: journal), asyncio.Queue[dict[str, str]]()
        is_told = asyncio.Event()

        async def never_takes(message: dict[str, str]) -> None:
            if message["type"] != "websocket.accept":
                is_told.set()
                await asyncio.Event().wait()

        reader = LiveConsumer(feed=feed, rendering=rendering, may_still_look=always)
        running = asyncio.ensure_future(reader({"type": "websocket", "path": "/"}, said.get, never_takes))
        said.put_nowait({"type": "websocket.connect"})
        said.put_nowait({"type": "websocket.receive", "text": '{"type": "hello"}'})
        await asyncio.wait_for(is_told.wait(), PATIENCE)
        Sender(journal).append(make_events(3))
        for number in range(3):
            batch = {"type": "livesignals.batch", "epoch": "", "after": 0, "last": 0, "lines": "", "number": number}
            await channel_layer().group_send(GROUP, batch)
        assert channel_layer().groups
        running.cancel()
        await asyncio.wait([running])
        assert (channel_layer().groups, channel_layer().channels, feed.watchers) == ({}, {}, 0)

    asyncio.run(end_it())
