"""A Redis of a test's own: it is stopped, killed, restarted and made to fail."""

import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import redis

from tests.processes import PATIENCE, Program, free_port


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


@contextmanager
def watched(folder: Path) -> Iterator[tuple[int, RedisServer, RedisServer]]:
    """The port of a Sentinel that calls it "shop", the primary that it watches, and the replica that it knows."""
    port = free_port()
    one = RedisServer(folder / "one", "--save", "", "--repl-diskless-sync-delay", "0")
    with one, RedisServer(folder / "two", "--save", "", "--replicaof", f"127.0.0.1 {one.port}") as two:
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor shop 127.0.0.1 {one.port} 1\n"
            "sentinel down-after-milliseconds shop 500\nsentinel failover-timeout shop 2000\n"
        )
        program = shutil.which("redis-server")
        assert program is not None
        with Program([program, configuration, "--sentinel"], log=folder / "sentinel.log") as running:
            running.wait_for_port(port)
            deadline = time.monotonic() + PATIENCE
            with redis.Redis(port=port) as client:
                while not client.sentinel_slaves("shop"):
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            while one.ask("INFO", "replication").get("slave0", {}).get("state") != "online":
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield port, one, two


class Between:
    """Something between a journal and its Redis that loses answers, or is slow, when it is told to."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._redis = port
        self.loses = False
        self.delay_seconds = 0.0  # before a command goes on
        self.held = 0  # how many parts of commands are being delayed
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._redis))
            except OSError:
                near.close()  # there is no Redis now
                continue
            threading.Thread(target=self._pass, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                if is_answer and self.loses:
                    break
                if not is_answer and self.delay_seconds:
                    self.held += 1
                    time.sleep(self.delay_seconds)
                    self.held -= 1
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends the thread that accepts
        self._listener.close()
