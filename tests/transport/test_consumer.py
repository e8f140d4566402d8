"""One page's reader on the event loop, with the server's end of the socket in the test's hands."""

import asyncio
import gc
import json
import time
from typing import Any

import pytest

from livesignals.dashboard import rendering
from livesignals.journal.memory import MemoryJournal
from livesignals.transport.consumer import MAX_MESSAGE_BYTES, LiveConsumer
from livesignals.transport.feed import Feed
from tests.journal.building import Sender, make_events

PATIENCE = 20.0


class Closed(Exception):
    """What a server raises when something is sent to a page that has left; each has its own."""


class Page:
    """A page as the server has it: what was sent to it, until it is gone."""

    def __init__(self, feed: Feed) -> None:
        self.sent: list[dict[str, Any]] = []
        self.is_gone = False
        self.attempts = 0
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.consumer = LiveConsumer(feed=feed, rendering=rendering, may_still_look=self._may_still_look)

    async def _may_still_look(self) -> bool:
        return True

    async def run(self) -> None:
        await self.consumer({"type": "websocket", "path": "/"}, self._said.get, self._send)

    async def _send(self, message: dict[str, Any]) -> None:
        self.attempts += 1
        if self.is_gone:
            raise Closed
        self.sent.append(message)

    def say(self, text: str) -> None:
        self._said.put_nowait({"type": "websocket.receive", "text": text})

    def connect(self) -> None:
        self._said.put_nowait({"type": "websocket.connect"})

    def disconnect(self) -> None:
        self._said.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def until(self, words: str) -> None:
        """Wait until something with these words was sent to it."""
        deadline = time.monotonic() + PATIENCE
        while not any(words in message.get("text", "") for message in self.sent):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)


def test_a_page_that_is_gone_is_told_nothing_more_and_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """From its farewell until the server says that it left, what would be sent is left out: no error, no traceback."""
    journal = MemoryJournal(project="", retain_events=1_000, retain_bytes=2**20)
    failures: list[dict[str, Any]] = []

    async def leave_while_much_happens() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
        page = Page(Feed(lambda: journal))
        running = asyncio.ensure_future(page.run())
        page.connect()
        page.say('{"type": "hello"}')
        await page.until('"type":"rows"')
        page.say('{"type": "ack", "frame": 1}')
        page.is_gone, attempts = True, page.attempts
        page.say("no command")
        page.say('{"type": "filter", "filter": "sender:shop.*"}')
        Sender(journal).append(make_events(10))
        deadline = time.monotonic() + PATIENCE
        while page.attempts == attempts:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.5)  # what else would be sent is tried in this time
        assert page.attempts == attempts + 1
        page.disconnect()
        await asyncio.wait_for(running, PATIENCE)
        del running, page
        gc.collect()  # a task that ended with an error tells so when it is collected

    asyncio.run(leave_while_much_happens())
    assert failures == []
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_a_message_that_no_server_would_send_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """Its frame counts as acknowledged: those after it go out."""
    journal = MemoryJournal(project="", retain_events=1_000, retain_bytes=2**20)

    async def look() -> None:
        page = Page(Feed(lambda: journal))
        running = asyncio.ensure_future(page.run())
        page.connect()
        page.say('{"type": "hello"}')
        await page.until('"type":"rows"')
        for _ in range(5):
            await page.consumer._frame(["µ" * MAX_MESSAGE_BYTES], shown=1)
        page.say('{"type": "ack", "frame": 1}')
        Sender(journal).append(make_events(3))
        await page.until('"frame":7')
        told = [message.get("text", "") for message in page.sent]
        assert sum("too long to be sent" in text for text in told) == 5
        assert max(len(text.encode()) for text in told) < MAX_MESSAGE_BYTES
        page.disconnect()
        await asyncio.wait_for(running, PATIENCE)

    asyncio.run(look())
    assert caplog.text.count("'rows' was too long to be sent") == 1  # once a minute


def test_outcomes_of_many_transactions_come_in_several_messages() -> None:
    """All of them, none in a message that is too long."""
    outcomes = {f"{n:032x}": "committed" for n in range(50_000)}
    journal = MemoryJournal(project="", retain_events=1_000, retain_bytes=2**20)

    async def look() -> None:
        page = Page(Feed(lambda: journal))
        running = asyncio.ensure_future(page.run())
        page.connect()
        page.say('{"type": "hello"}')
        await page.until('"type":"rows"')
        await page.consumer.livesignals_outcomes({"outcomes": outcomes})
        told = [json.loads(message["text"]) for message in page.sent if "text" in message]
        taken = [said["transactions"] for said in told if said["type"] == "outcome"]
        assert {name: state for some in taken for name, state in some.items()} == outcomes
        assert max(len(message.get("text", "")) for message in page.sent) < MAX_MESSAGE_BYTES
        page.disconnect()
        await asyncio.wait_for(running, PATIENCE)

    asyncio.run(look())
