"""Writers, servers and readers of one journal, each a process of its own, and what must be true of them in the end."""

import itertools
import mmap
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from livesignals.events import Event
from livesignals.exceptions import JournalUnavailable
from livesignals.journal import Journal, ProcessReport, open_journal
from livesignals.journal.liveness import notice_gone
from tests.faults.reader import Reader
from tests.faults.writer import IS_BACK, SENT, STOPS, WITNESS_BYTES
from tests.processes import PATIENCE, Program, free_port

ROOT = Path(__file__).parents[2]
MANAGE = ROOT / "project" / "manage.py"
#: Why a send may not be stored.
REASONS = {"buffer full", "journal unavailable", "process ended", "stored in another journal"}
_numbers = itertools.count(1)


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Returns once *condition* holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not after {PATIENCE:.0f} s"
        time.sleep(0.02)


class Writer(Program):
    """A process of `tests.faults.writer`, and its own count of what it sent."""

    def __init__(self, scene: "Scene", per_second: int, *options: str) -> None:
        self.name = f"writer-{next(_numbers)}"
        witness = scene.folder / self.name
        witness.write_bytes(bytes(WITNESS_BYTES))
        with witness.open("r+b") as file:
            self._told = memoryview(mmap.mmap(file.fileno(), WITNESS_BYTES)).cast("Q")
        command: list[str | Path] = [sys.executable, "-m", "tests.faults.writer", witness, str(per_second), *options]
        super().__init__(command, log=scene.folder / f"{self.name}.log", cwd=ROOT, env=scene.environment)
        self.was_killed = False

    @property
    def sent(self) -> int:
        """How many of its sends have returned."""
        return int(self._told[SENT])

    def set_clock_back(self) -> None:
        """By an hour; a writer with a ``clock`` of its own."""
        self._told[IS_BACK] = 1

    def end(self) -> None:
        """Let it end as a program does."""
        self._told[STOPS] = 1
        assert self.process.wait(PATIENCE) == 0, self.output()

    def kill(self) -> None:
        """With SIGKILL."""
        self.process.kill()
        self.process.wait()
        self.was_killed = True


class Server(Program):
    """``manage.py livesignals serve``, and the cookie of somebody who opened its link."""

    def __init__(self, scene: "Scene", port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command: list[str | Path] = [sys.executable, MANAGE, "livesignals", "serve", "--port", str(self.port)]
        log = scene.folder / f"server-{next(_numbers)}.log"
        super().__init__(command, log=log, cwd=ROOT, env=scene.environment)

    def cookie(self) -> str:
        """Opens the link; the cookie works after a restart too."""
        link = self.wait_for_output(r"livesignals: (http://\S+)").group(1)
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            opener.open(link, timeout=PATIENCE)
        except urllib.error.HTTPError as redirect:
            return str(redirect.headers["Set-Cookie"]).split(";")[0]
        raise AssertionError("the link did not lead on")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


class Scene:
    """A journal and the processes around it; leaving the block ends them all."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.path = folder / "journal" / "journal.sqlite3"
        self.path.parent.mkdir(exist_ok=True)
        self.url = url or f"sqlite:///{self.path}"
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "LIVESIGNALS_JOURNAL": self.url,
        }
        self.writers: list[Writer] = []
        self.readers: list[Reader] = []
        self._stack = ExitStack()
        self._journal: Journal | None = None

    def __enter__(self) -> "Scene":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        if self._journal is not None:
            self._journal.close()

    @property
    def journal(self) -> Journal:
        """The journal of those processes."""
        if self._journal is None:
            self._journal = open_journal(self.url, project="", retain_events=10**6, retain_bytes=2**30)
        return self._journal

    def write(self, per_second: int, *options: str) -> Writer:
        """Start a writer."""
        writer = Writer(self, per_second, *options)
        self._stack.callback(writer.stop, signal.SIGKILL)
        self.writers.append(writer)
        return writer

    def serve(self, port: int = 0) -> Server:
        """Start a server; with the *port* of another, in its place."""
        server = Server(self, port)
        self._stack.callback(server.stop, signal.SIGKILL)
        return server

    def read(self, server: Server) -> Reader:
        """A reader of the server, from the first event on."""
        reader = self._stack.enter_context(Reader(server.url, server.cookie()))
        self.readers.append(reader)
        wait_until(lambda: reader.lists, "the first list")
        return reader

    def start(self) -> None:
        """Two writers, a server and its reader, all at work."""
        reader = self.read(self.serve())
        for _ in range(2):
            self.write(1_000)
        wait_until(lambda: reader.id > 1_000, "the reader has read some")

    def wait_for_sends(self, more: int) -> None:
        """Until each writer that lives has made so many more."""
        goals = [(writer, writer.sent + more) for writer in self.writers if writer.process.poll() is None]
        wait_until(lambda: all(writer.sent >= goal for writer, goal in goals), f"{more} more sends")

    def wait_for_report(self, writer: Writer) -> None:
        """Until the journal knows of all that the writer has sent by now. It may be away at first."""
        sent = writer.sent

        def is_known() -> bool:
            with suppress(JournalUnavailable):
                return any(
                    report.pid == writer.process.pid and report.captured >= max(1, sent)
                    for report in self.journal.processes()
                )
            return False

        wait_until(is_known, f"{writer.name} in the journal")

    def recover(self) -> None:
        """Until all writers write and all readers read what is there now."""
        for writer in self.writers:
            if not writer.was_killed:
                self.wait_for_report(writer)

        def is_read() -> bool:
            epoch = self.journal.bounds().epoch
            return all(reader.epoch == epoch for reader in self.readers)

        wait_until(is_read, "the readers are in the journal's epoch")

    def settle(self) -> list[Event]:
        """Let all writers end that live, and all readers read on to the last event; what is retained then.

        Captured is what writers sent, and each is stored once or dropped with a reason. Every list of a reader is
        whole, and the last one goes on to the last event that is stored.
        """
        self.recover()
        for writer in self.writers:
            if not writer.was_killed:
                writer.end()
        journal = self.journal
        notice_gone(journal)
        wait_until(lambda: all(_is_settled(report) for report in journal.processes()), "no process buffers anything")
        bounds, counts = journal.bounds(), journal.counts()
        assert counts.captured == counts.stored + sum(counts.dropped.values())
        assert set(counts.dropped) <= REASONS
        events = journal.read(0, 10**6)
        reports = {report.pid: report for report in journal.processes()}
        for writer in self.writers:
            self._check(writer, reports[writer.process.pid], [event for event in events if event.sender == writer.name])
        for reader in self.readers:
            wait_until(lambda: (reader.epoch, reader.id) == (bounds.epoch, bounds.last), "a reader is at the end")  # noqa: B023
            assert [shown for shown in reader.lists if not shown.is_whole()] == []
            assert reader.errors == []
            if len(reader.lists) == 1:
                wait_until(lambda: reader.lists[0].dropped() == counts.dropped, "rows say what was dropped")  # noqa: B023
            wait_until(lambda: reader.state.get("captured") == counts.captured, "a reader has the figures")  # noqa: B023
        return events

    def _check(self, writer: Writer, report: ProcessReport, events: list[Event]) -> None:
        numbers = [event.kwargs["n"] for event in events]
        assert numbers == sorted(set(numbers)), f"{writer.name}: twice, or not in order"
        assert len(numbers) <= report.stored
        if writer.was_killed:
            assert report.captured <= writer.sent + 1  # the last one may not have been counted yet
        else:
            assert report.captured == writer.sent


def _is_settled(report: ProcessReport) -> bool:
    return report.buffered == 0 and report.captured == report.stored + sum(report.dropped.values())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Around an SQLite file."""
    with Scene(tmp_path) as scene:
        yield scene


@pytest.fixture(params=["sqlite", "redis"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """Around an SQLite file, and around a Redis."""
    url = ""
    if request.param == "redis":
        url = f"{request.getfixturevalue('redis_url')}?name=faults-{next(_numbers)}"
    with Scene(tmp_path, url) as scene:
        yield scene
