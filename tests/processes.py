"""Programs that a test starts in processes of their own: servers, commands, other projects."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 60.0  # seconds until a program that neither answers nor ends is given up


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Program:
    """A running program; leaving the ``with`` block ends it together with its children.

    What it prints, errors too, goes to ``log``.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                arguments,
                cwd=cwd,
                env={**(os.environ if env is None else env), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, so that children end with it
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def output(self) -> str:
        """What it printed so far."""
        return self.log.read_text(errors="replace")

    def wait_for_port(self, port: int) -> None:
        """Returns once *port* of 127.0.0.1 accepts connections."""
        for _ in self._waiting(f"a listener on port {port}"):
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", port)) == 0:
                    return

    def wait_for_output(self, pattern: str) -> re.Match[str]:
        """The first match of the regular expression *pattern* in what it prints."""
        for _ in self._waiting(f"output like {pattern!r}"):
            if found := re.search(pattern, self.output()):
                return found
        raise AssertionError("unreachable: waiting ends in a match or an error")

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """Ends it, by force when it does not end by itself."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, with_signal)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def _waiting(self, what: str) -> Iterator[None]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ended = self.process.poll()
            yield
            if ended is not None:
                raise AssertionError(f"no {what}: ended with {ended} and printed:\n{self.output()}")
            time.sleep(0.05)
        raise AssertionError(f"no {what} after {PATIENCE:.0f} s; it printed:\n{self.output()}")
