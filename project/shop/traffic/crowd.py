"""Many visitors at once, until they are told to stop."""

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random

import httpx

from project.shop.traffic.journeys import buy, look_around, mind_the_shop
from project.shop.traffic.pace import Pace
from project.shop.traffic.visitor import Visitor

ASK_AGAIN_S = 0.5


class Crowd:
    """*customers* visitors who together make *rate* requests a second of the shop at *url*."""

    def __init__(self, url: str, rate: float, customers: int, say: Callable[[str], object]) -> None:
        self.answers: Counter[int] = Counter()  # by status code
        self._url = url
        self._pace = Pace(rate)
        self._customers = customers
        self._say = say
        self._asking = asyncio.Lock()

    async def visit(self) -> None:
        """Shop for ever; cancelling ends it."""
        async with asyncio.TaskGroup() as crowd:
            for seed in range(self._customers):
                crowd.create_task(self._shop_on(Random(seed)))

    async def _shop_on(self, chance: Random) -> None:
        visitor = Visitor(self._url, self._pace, self.answers)
        try:
            while True:
                [journey] = chance.choices([look_around, buy, mind_the_shop], weights=[4, 5, 1])
                try:
                    await journey(visitor, chance)
                except httpx.TransportError:
                    await self._wait_for_shop(visitor)
        finally:
            await visitor.close()

    async def _wait_for_shop(self, visitor: Visitor) -> None:
        """Returns once the shop answers. One visitor asks; those behind it find the shop open then."""
        async with self._asking:
            has_said_so = False
            while not await _is_answered(visitor):
                if not has_said_so:
                    self._say(f"{self._url} does not answer; waiting.")
                    has_said_so = True
                await asyncio.sleep(ASK_AGAIN_S)
            if has_said_so:
                self._say(f"{self._url} answers again.")


async def _is_answered(visitor: Visitor) -> bool:
    try:
        await visitor.get("/")
    except httpx.TransportError:
        return False
    return True
