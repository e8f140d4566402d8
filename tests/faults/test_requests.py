"""What the project's own customers notice of a journal that is out of order: nothing."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from livesignals.journal.liveness import notice_gone
from project.shop.traffic.journeys import buy
from project.shop.traffic.pace import Pace
from project.shop.traffic.visitor import Visitor
from tests.browser.conftest import Shop
from tests.dashboard.conftest import use_link
from tests.faults.conftest import REASONS, wait_until
from tests.faults.files import locked
from tests.faults.reader import Reader
from tests.journal.redis_servers import Between, RedisServer

REQUESTS = 60  # of customers, during each fault
PER_SECOND = 60


class Customers(threading.Thread):
    """They buy one thing after the other until the block ends."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.answers: Counter[int] = Counter()  # by status code
        self.error: BaseException | None = None
        self._is_over = False

    def __enter__(self) -> "Customers":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over = True
        self.join()

    def run(self) -> None:
        try:
            asyncio.run(self._buy())
        except BaseException as error:
            self.error = error

    async def _buy(self) -> None:
        pace = Pace(PER_SECOND)

        async def customer(seed: int) -> None:
            visitor, chance = Visitor(self.url, pace, self.answers), Random(seed)
            while not self._is_over:
                await buy(visitor, chance)
            await visitor.close()

        async with asyncio.TaskGroup() as group:
            for seed in range(4):
                group.create_task(customer(seed))

    def wait(self) -> None:
        """Until so many more requests were answered."""
        goal = self.answers.total() + REQUESTS
        wait_until(lambda: self.error or self.answers.total() >= goal, f"{REQUESTS} more answers")
        assert self.error is None


@contextmanager
def shopping(folder: Path, url: str = "") -> Iterator[tuple[Shop, Customers]]:
    """A shop with customers in it, and somebody at its dashboard. In the end not one request has failed, and all that
    was captured is accounted for."""
    shop = Shop(folder, url)
    shop.start()
    try:
        cookie = use_link(shop)
        with Reader(f"{shop.url}/livesignals", cookie) as reader, Customers(shop.url) as customers:
            customers.wait()
            yield shop, customers
            customers.wait()
            wait_until(lambda: reader.state and not reader.state["problem"], "the journal can be used again")
    finally:
        shop.stop()
    assert set(customers.answers) <= {200, 302}
    journal = shop.journal()
    notice_gone(journal)
    counts = journal.counts()
    assert counts.captured == counts.stored + sum(counts.dropped.values()) + counts.buffered
    assert set(counts.dropped) <= REASONS
    assert [shown for shown in reader.lists if not shown.is_whole()] == []
    journal.close()


def test_requests_while_the_file_is_out_of_order(tmp_path: Path) -> None:
    """Locked by another process, overwritten, deleted: not one request fails."""
    with shopping(tmp_path) as (shop, customers):
        with locked(shop.journal_path):
            customers.wait()
        shop.journal_path.write_text("no journal\n")
        customers.wait()
        for file in shop.folder.glob("journal.sqlite3*"):
            file.unlink(missing_ok=True)


def test_requests_while_redis_is_out_of_order(tmp_path: Path) -> None:
    """Slow, stopped, full, emptied, gone: not one request fails."""
    with RedisServer(tmp_path / "redis", "--save", "") as server:
        between = Between(server.port)
        with shopping(tmp_path, f"redis://127.0.0.1:{between.port}") as (_, customers):
            between.delay_seconds = 0.1
            customers.wait()
            between.delay_seconds = 0.0
            with server.frozen():
                customers.wait()
            server.ask("CONFIG", "SET", "maxmemory", "1mb")
            customers.wait()
            server.ask("FLUSHALL")
            server.kill()
            customers.wait()
            server.start()
        between.close()
