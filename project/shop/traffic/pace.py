"""How often the crowd as a whole makes a request."""

import asyncio

CATCH_UP_S = 1.0


class Pace:
    """Gives out turns, *rate* a second, to any number of tasks of one event loop, in the order they ask."""

    def __init__(self, rate: float) -> None:
        self._interval_s = 1 / rate
        self._next_s: float | None = None  # the event loop's time of the next free turn; None before the first

    async def turn(self) -> None:
        """Returns when it is the caller's turn.

        Turns that nobody took, because the server was slow, are made up for, but only the last second's.
        """
        now_s = asyncio.get_running_loop().time()
        mine_s = now_s if self._next_s is None else max(self._next_s, now_s - CATCH_UP_S)
        self._next_s = mine_s + self._interval_s
        await asyncio.sleep(max(0.0, mine_s - now_s))
