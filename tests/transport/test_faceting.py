"""What the filter holds, counted by field, for a page that has it open."""

import asyncio
import json
from collections import Counter
from typing import Any

from livesignals.events import Cause, ReceiverCall
from livesignals.transport.faceting import FACETS, SHOWN_VALUES
from livesignals.transport.feed import Feed
from tests.journal.building import Sender, make_event, make_events
from tests.transport.test_searching import Journal, on_a_loop, reading


def counted(said: dict[str, Any], field: str) -> dict[str, int]:
    return dict(map(tuple, said["counts"][field]))


def test_facets_are_exact_from_the_first_and_as_sends_come() -> None:
    """Every event of the filter is counted once, whether the journal had it or it comes while somebody looks."""

    async def work(journal: Journal, feed: Feed) -> None:
        sender = Sender(journal)
        called = [ReceiverCall(name=name, duration_us=1.0) for name in ("a.first", "a.second", "a.first")]
        sender.append([make_event(sender=f"shop.M{n % 3}", receivers=called) for n in range(30)])
        async with reading(feed) as page:
            page.ask("filter", filter="-sender:shop.M0")
            page.ask("facets", open=True)
            said = await page.until_told("facets", lambda said: said["filter"] == "-sender:shop.M0")
            assert counted(said, "sender") == {"shop.M1": 10, "shop.M2": 10}
            assert counted(said, "receiver") == {"a.first": 20, "a.second": 20}
            assert counted(said, "cause") == {"request POST /orders/": 20}
            assert said["exhausted"]
            expected = Counter(counted(said, "sender"))
            for n in range(5):
                new = [make_event(sender=f"shop.M{m % 4}", cause=None) for m in range(n * 20)]
                sender.append(new)
                expected.update(event.sender for event in new if event.sender != "shop.M0")
                await asyncio.sleep(0.05)
            said = await page.until_told("facets", lambda said: counted(said, "sender") == dict(expected))
            assert counted(said, "cause") == {"request POST /orders/": 20}

    on_a_loop(work)


def test_facets_are_counted_only_while_they_are_open() -> None:
    """Closed, nothing is told, whatever comes; opened again they are right."""

    async def work(journal: Journal, feed: Feed) -> None:
        sender = Sender(journal)
        sender.append(make_events(3))
        async with reading(feed) as page:
            page.ask("facets", open=True)
            assert counted(await page.until_told("facets"), "sender") == {"shop.Order": 3}
            page.ask("facets", open=False)
            page.ask("facets", open=False)
            sender.append(make_events(3))
            page.got.clear()
            await asyncio.sleep(1.5)
            assert not [said for said in page.got if said["type"] == "facets"]
            page.ask("facets", open=True)
            page.ask("facets", open=True)
            assert counted(await page.until_told("facets"), "sender") == {"shop.Order": 6}

    on_a_loop(work)


def test_facets_show_the_most_frequent() -> None:
    """A few of each field; which these are changes as sends come."""

    async def work(journal: Journal, feed: Feed) -> None:
        async with reading(feed) as page:
            sender = Sender(journal)
            sender.append([make_event(cause=Cause(kind="task", name=f"t{n % 50}", id="c")) for n in range(1_000)])
            page.ask("facets", open=True)
            await page.until_told("facets", lambda said: counted(said, "sender") == {"shop.Order": 1_000})
            sender.append([make_event(cause=Cause(kind="task", name="often", id="c")) for _ in range(25)])
            said = await page.until_told("facets", lambda said: counted(said, "sender") == {"shop.Order": 1_025})
            assert set(said["counts"]) == set(FACETS)
            assert len(said["counts"]["cause"]) <= SHOWN_VALUES
            assert said["counts"]["cause"][0] == ["task often", 25]

    on_a_loop(work)


def test_a_page_that_changes_its_filter_all_the_time_is_counted_for_now_and_then() -> None:
    """The last filter is told; the journal is not asked for each."""

    async def work(journal: Journal, feed: Feed) -> None:
        async with reading(feed) as page:
            page.ask("facets", open=True)
            await page.until_told("facets")
            for n in range(40):
                page.ask("filter", filter=f"pid:{n},123")
                await asyncio.sleep(0.02)
            said = await page.until_told("facets", lambda said: said["filter"] == "pid:39,123")
            assert counted(said, "sender") == {"shop.Order": 9}
        told = [json.loads(sent["text"]) for sent in page.sent if '"type":"facets"' in sent.get("text", "")]
        assert len(told) < 20

    on_a_loop(work, history=9)
