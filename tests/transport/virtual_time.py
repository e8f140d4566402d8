"""An event loop whose clock goes on when nothing is left to do: hours pass in no time, and always in the same way."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing outside of it may be waited for: no socket, no thread."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self._real_select = self._selector.select  # type: ignore[attr-defined]
        self._selector.select = self._select  # type: ignore[attr-defined]

    def _select(self, timeout: float | None) -> Any:
        assert timeout is not None, "everybody waits for somebody else"
        self.now += timeout
        return self._real_select(0)

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Keep the loop busy for so long."""
        self.now += seconds


@contextmanager
def virtual_time(*modules: ModuleType) -> Iterator[VirtualLoop]:
    """A loop whose time is that of these modules."""
    loop = VirtualLoop()
    here = threading.get_ident()  # a thread that another test has left behind lives in real time

    def monotonic() -> float:
        return loop.time() if threading.get_ident() == here else time.monotonic()

    def sleep(seconds: float) -> None:
        (loop.sleep if threading.get_ident() == here else time.sleep)(seconds)

    clock = ModuleType("time")
    vars(clock).update(vars(time), monotonic=monotonic, sleep=sleep)
    patches = [patch.object(module, "time", clock) for module in modules]
    for each in patches:
        each.start()
    try:
        yield loop
    finally:
        for each in patches:
            each.stop()
        loop.close()


def run(loop: VirtualLoop, work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, tasks that were left too."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work)
