"""What is offered while a filter is typed: fields, and values of recent sends."""

import asyncio

import pytest

from livesignals.events import Cause, Process, ReceiverCall
from livesignals.exceptions import JournalUnavailable
from livesignals.transport.completing import LOOK_SECONDS, MASKED, MAX_PATHS, MAX_VALUES, Seen, completions
from livesignals.transport.feed import Feed
from tests.journal.building import Sender, make_event
from tests.transport.test_searching import Journal, caught_up, on_a_loop, reading


async def offered(feed: Feed, text: str) -> list[str]:
    return [offer.insert for offer in await completions(feed, text, len(text) + 1)]


@pytest.mark.parametrize(
    ("text", "inserts"),
    [
        ("signal:ord", ["project.signals.order_paid"]),
        ("sender:", ["shop.Order"]),
        ("receiver:", ["shop.receivers.reserve"]),
        ("cause:", ['"command manage.py migrate"']),
        ("command:", ["migrate"]),
        ("host:", ["web7"]),
        ("kwargs.instance.", ["kwargs.instance.pk:", "kwargs.instance.status:", "kwargs.instance.model:"]),
        ("kwargs.instance.status:", ["paid", '"two words"']),
        ("-shop.O", ["sender:shop.Order", "model:shop.Order"]),
    ],
)
def test_values_that_were_seen_are_offered(text: str, inserts: list[str]) -> None:
    """Those that the journal had before anybody looked, and those that came since; written so that they can stay."""

    async def work(journal: Journal, feed: Feed) -> None:
        carried = {"instance": {"model": "shop.Order", "pk": 7, "fields": {"status": "paid"}}}
        new = make_event(
            signal="project.signals.order_paid",
            receivers=[ReceiverCall(name="shop.receivers.reserve", duration_us=1.0)],
            kwargs=carried,
            cause=Cause(kind="command", name="manage.py migrate", id="c"),
            process=Process(host="web7", pid=1, seq=1),
        )
        Sender(journal).append([new])
        async with reading(feed):
            assert set(inserts) - {'"two words"'} <= set(await offered(feed, text))
            carried = {"instance": {"model": "shop.Order", "pk": 7, "fields": {"status": "two words"}}}
            Sender(journal, "another").append([make_event(kwargs=carried)])
            await caught_up(feed, journal)
            deadline = asyncio.get_running_loop().time() + 10
            while not set(inserts) <= set(await offered(feed, text)):
                assert asyncio.get_running_loop().time() < deadline
                await asyncio.sleep(0.05)

    on_a_loop(work)


def test_what_is_kept_of_values_is_bounded_and_holds_no_mask() -> None:
    """However many there are; the latest stay."""

    async def work(journal: Journal, feed: Feed) -> None:
        Sender(journal).append(
            [
                make_event(sender=f"shop.M{n}", kwargs={f"key{n}": n, "password": MASKED, "x": "y" * 500})
                for n in range(900)
            ]
        )
        async with reading(feed):
            seen = Seen()
            await seen.look(feed)
            assert len(seen.values["sender"]) == MAX_VALUES
            assert "shop.M899" in seen.values["sender"]
            assert len(seen.values) <= MAX_PATHS
            assert "kwargs.key899" in seen.values
            assert not {"kwargs.password", "kwargs.x"} & set(seen.values)

    on_a_loop(work)


def test_an_answer_has_the_number_of_its_request() -> None:
    """So that the page can tell a late one; nonsense is answered too."""

    async def work(journal: Journal, feed: Feed) -> None:
        async with reading(feed) as page:
            for request, (text, column) in enumerate(
                [("si", 3), ("", 10**9), ("signal:", -5), ('"', 2), ("(" * 2_000, 9)]
            ):
                page.ask("complete", filter=text, column=column, request=request)
                said = await page.until_told("completions")
                assert said["request"] == request
            page.ask("complete", filter="si", column=3, request=7)
            said = await page.until_told("completions")
            assert said["options"][0].items() >= {"insert": "signal:", "label": "signal", "start": 1}.items()

    on_a_loop(work, history=3)


def test_a_journal_that_is_away_is_no_reason_to_offer_an_error() -> None:
    """There is nothing to choose from then; the page says elsewhere what is wrong."""

    async def work(journal: Journal, feed: Feed) -> None:
        async with reading(feed) as page:
            journal.failures = 1
            page.ask("complete", filter="si", column=3, request=1)
            assert (await page.until_told("completions"))["options"] == []
            journal.failures = 1
            with pytest.raises(JournalUnavailable):
                await Seen().look(feed)

    on_a_loop(work, history=3)


def test_what_came_while_nobody_looked_is_offered_too() -> None:
    """The feed follows the journal only for readers; values are not forgotten meanwhile, nor missed."""

    async def work(journal: Journal, feed: Feed) -> None:
        seen = Seen()
        for sender in ("shop.Before", "shop.Meanwhile"):
            Sender(journal, sender).append([make_event(sender=sender)])
            async with reading(feed):
                await asyncio.sleep(LOOK_SECONDS)
                await seen.look(feed)
                assert sender in seen.values["sender"]
        assert "shop.Before" in seen.values["sender"]

    on_a_loop(work)
