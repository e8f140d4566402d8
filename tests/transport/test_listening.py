"""Batches that a Redis journal announces, as channels_redis's layer hands them out and as a server takes them."""

import asyncio
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from channels_redis.pubsub import RedisPubSubChannelLayer

from livesignals.events import decode
from livesignals.exceptions import JournalUnavailable
from livesignals.journal import Journal, Tail, open_journal
from livesignals.journal.redis import RedisJournal
from livesignals.transport.feed import Feed
from livesignals.transport.listening import lines_of
from tests.journal.building import Sender, make_event, make_events
from tests.journal.redis_servers import RedisServer
from tests.transport.programs import ROOT, START
from tests.transport.test_consumer import Page
from tests.transport.test_feed import reaches

PATIENCE = 20.0
_numbers = itertools.count(1)


@pytest.fixture
def url(redis_url: str) -> str:
    """Of a journal that nothing has been written to."""
    return f"{redis_url}?name=listening-{next(_numbers)}"


def opened(url: str) -> Journal:
    return open_journal(url, project="shop", retain_events=100_000, retain_bytes=2**28)


async def heard(journal: Journal, write: Callable[[], None], *, until: int) -> list[dict[str, Any]]:
    """The messages of the group, through a layer as channels_redis makes it, while *write* runs in a thread."""
    announcements = journal.announcements()
    assert announcements is not None
    layer = RedisPubSubChannelLayer(hosts=announcements.hosts, prefix=announcements.prefix)
    channel = await layer.new_channel()
    await layer.group_add(announcements.group, channel)
    writing = asyncio.get_running_loop().run_in_executor(None, write)
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1]["last"] < until:
        messages.append(await asyncio.wait_for(layer.receive(channel), PATIENCE))
    await writing
    await layer.flush()
    return messages


def test_batches_of_four_writers_come_in_the_order_of_their_ids(url: str) -> None:
    """Each once, as one string, without a hole: what follows on what is never to be waited for."""
    journal = opened(url)

    def write() -> None:
        def append(name: str) -> None:
            own = opened(url)
            sender = Sender(own, name)
            for _ in range(25):
                sender.append([make_event(thread=name, kwargs={"text": 'ü\n"☃'}) for _ in range(4)])
            own.close()

        threads = [threading.Thread(target=append, args=(f"writer-{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    messages = asyncio.run(heard(journal, write, until=400))
    assert [message["after"] for message in messages] == [0, *(message["last"] for message in messages[:-1])]
    assert {message["type"] for message in messages} == {"livesignals.batch"}
    events = [decode(line) for message in messages for line in lines_of(message).split("\n")]
    assert events == journal.read(0, 1_000)
    journal.close()


def test_a_batch_that_is_long_is_announced_by_its_ids(url: str) -> None:
    """What the journal holds is not sent through the group in one piece of any size."""
    journal = opened(url)
    long = [make_event(kwargs={"text": "x" * 200_000}) for _ in range(10)]
    (message,) = asyncio.run(heard(journal, lambda: void(Sender(journal).append(long)), until=10))
    assert (message["after"], message["last"], "bodies" in message) == (0, 10, False)
    journal.close()


def void(_: object) -> None:
    pass


async def following(url: str, scenario: Callable[[Feed, Journal], Awaitable[None]]) -> None:
    journal, reading = opened(url), opened(url)
    feed = Feed(lambda: reading)
    await feed.watch()
    await scenario(feed, journal)
    await feed.unwatch()
    await asyncio.sleep(0.1)  # what listened lets go
    journal.close()
    reading.close()


async def appended(journal: Journal, size: int, token: str = "process-1", **changes: Any) -> int:
    """The last id, from another thread: this one's loop is the reader's."""
    sender = Sender(journal, token)
    loop = asyncio.get_running_loop()
    answer = await loop.run_in_executor(None, lambda: sender.append(make_events(size, **changes)))
    return answer.last


def test_what_is_announced_needs_not_be_read(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is decoded from the group, so that it comes while the journal itself cannot be read."""

    def fails(journal: RedisJournal, after: int, limit: int) -> Tail:
        raise JournalUnavailable("it is not to be read")

    async def follow(feed: Feed, journal: Journal) -> None:
        await reaches(feed, await appended(journal, 3, "first"))
        await listened_to(url, journal)
        monkeypatch.setattr(RedisJournal, "tail", fails)
        last = await appended(journal, 5, "second")
        await reaches(feed, last)
        assert [event.id for event in await feed.read(last - 5, 10)] == list(range(last - 4, last + 1))

    asyncio.run(following(url, follow))


async def listened_to(url: str, journal: Journal) -> None:
    """Wait until somebody is in the group."""
    announcements = journal.announcements()
    assert announcements is not None
    channel = f"{announcements.prefix}__group__{announcements.group}"
    deadline = time.monotonic() + PATIENCE
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        while not client.pubsub_numsub(channel)[0][1]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)


def test_what_is_only_announced_by_its_ids_is_read(url: str) -> None:
    """And goes to consumers with the rest, in order."""

    async def follow(feed: Feed, journal: Journal) -> None:
        await reaches(feed, await appended(journal, 10, "long", kwargs={"text": "x" * 200_000}))
        await reaches(feed, await appended(journal, 2, "short"))

    asyncio.run(following(url, follow))


def test_a_page_follows_what_a_process_on_another_host_sends(url: str) -> None:
    """A real second process, which has only the URL in common with this one."""
    program = START + "\nfor n in range(300):\n    send(n)\n    time.sleep(0.002)\nassert get_flusher().flush(30)\n"

    async def look() -> None:
        journal = open_journal(url, project="", retain_events=10_000, retain_bytes=2**28)
        page = Page(Feed(lambda: journal))
        running = asyncio.ensure_future(page.run())
        page.connect()
        page.say('{"type": "hello", "filter": "sender:numbers"}')
        await page.until('"type":"rows"')
        sending = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program),
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "DJANGO_SETTINGS_MODULE": "project.settings",
                "LIVESIGNALS_JOURNAL": url,
            },
            stderr=subprocess.PIPE,
        )
        acknowledging = asyncio.ensure_future(acknowledge(page))
        _, errors = await sending.communicate()
        assert sending.returncode == 0, errors.decode()
        last = journal.search(page.consumer.filter, None, 1).events[0]
        assert last.kwargs == {"n": 299}
        deadline = time.monotonic() + PATIENCE
        while page.consumer.cursor < last.id:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        await page.until(f'"id":{last.id}')
        acknowledging.cancel()
        page.disconnect()
        await asyncio.wait_for(running, PATIENCE)
        journal.close()

    asyncio.run(look())


async def acknowledge(page: Page) -> None:
    """As a page does that keeps up."""
    while True:
        page.say(f'{{"type": "ack", "frame": {page.consumer.frames_sent}}}')
        await asyncio.sleep(0.01)


def test_a_redis_that_goes_and_comes_back_is_followed_again(tmp_path: Path) -> None:
    """The feed says why nothing comes, and goes on by itself under another epoch, through the group too."""
    with RedisServer(tmp_path / "redis", "--save", "") as server:

        async def follow(feed: Feed, journal: Journal) -> None:
            loop = asyncio.get_running_loop()
            await reaches(feed, await appended(journal, 3, "before"))
            await listened_to(server.url, journal)
            epoch = feed.epoch
            await loop.run_in_executor(None, server.kill)
            deadline = time.monotonic() + PATIENCE
            while feed.problem is None:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            assert "cannot be reached" in feed.problem.message
            await loop.run_in_executor(None, server.start)
            await appended(journal, 2, "after")
            while feed.problem is not None or feed.epoch == epoch or feed.head != 2:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            await listened_to(server.url, journal)
            await reaches(feed, await appended(journal, 2, "later"))

        asyncio.run(following(server.url, follow))


def test_a_new_epoch_that_holds_much_is_begun_near_its_end(tmp_path: Path) -> None:
    """As when Redis restarts with all it had: history is not announced anew."""
    with RedisServer(tmp_path / "redis", "--save", "", "--appendonly", "yes", "--appendfsync", "always") as server:

        async def follow(feed: Feed, journal: Journal) -> None:
            await reaches(feed, await appended(journal, 5_000, "before"))
            epoch = feed.epoch
            await asyncio.get_running_loop().run_in_executor(None, server.restart)
            deadline = time.monotonic() + PATIENCE
            while feed.epoch == epoch:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            assert feed.head == 5_000

        asyncio.run(following(server.url, follow))
