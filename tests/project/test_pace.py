"""How many requests a second the traffic makes, on a clock that the test turns."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

import pytest

from project.shop.traffic.pace import Pace


class _Skipping(selectors.SelectSelector):
    """Waits for nothing: time passes at once."""

    now_s = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout:
            self.now_s += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose seconds take no time."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now_s


def run(work: Coroutine[Any, Any, float]) -> float:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)


async def seconds_for(turns: int, pace: Pace, *, tasks: int) -> float:
    """How long *tasks* take for *turns* in all."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    remaining = iter(range(turns))

    async def take() -> None:
        for _ in remaining:
            await pace.turn()

    await asyncio.gather(*(take() for _ in range(tasks)))
    return loop.time() - began


@pytest.mark.parametrize("rate", [0.5, 5, 200, 1000])
@pytest.mark.parametrize("tasks", [1, 50])
def test_the_rate_is_honoured_whatever_the_number_of_visitors(rate: float, tasks: int) -> None:
    """A thousand turns take a thousand intervals, the first of which is not waited for."""
    taken = run(seconds_for(1000, Pace(rate), tasks=tasks))
    assert taken == pytest.approx(999 / rate, rel=0.01)


def test_a_pause_is_made_up_for_by_no_more_than_a_second() -> None:
    """A server that was away for an hour is not stormed when it is back."""

    async def after_an_hour_away() -> float:
        pace = Pace(10)
        await pace.turn()
        await asyncio.sleep(3600)
        return await seconds_for(21, pace, tasks=5)

    assert run(after_an_hour_away()) == pytest.approx(1.0, rel=0.01)
