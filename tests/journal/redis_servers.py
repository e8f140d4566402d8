"""A Redis of a test's own: it is stopped, killed, restarted and made to fail."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import redis

from tests.processes import Program, free_port

PATIENCE = 20.0


class RedisServer:
    """A redis-server on a port that it keeps over restarts; entering it starts it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.arguments = arguments
        self._program: Program | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("redis-server is not on PATH; `make test` installs it")
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), *self.arguments]
        self._program = Program([program, *options], log=self.folder / f"log-{time.monotonic_ns()}")
        self._program.wait_for_port(self.port)

    @property
    def pid(self) -> int:
        assert self._program is not None
        return self._program.process.pid

    def kill(self) -> None:
        if self._program is not None:
            self._program.stop(signal.SIGKILL)

    def restart(self) -> None:
        """As after a crash."""
        self.kill()
        self.start()

    def ask(self, *command: Any) -> Any:
        """What Redis answers."""
        with redis.Redis(port=self.port) as client:
            return client.execute_command(*command)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections, and never answers."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)
