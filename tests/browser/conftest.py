"""The shop as `make run` starts it, with a database and journal of its own, and a person at the dashboard."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from livesignals.journal import Journal, open_journal
from tests.processes import Program, free_port

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "project" / "manage.py"
PATIENCE_MS = 20_000
LINK = r"dashboard\s+(http://\S+)"


class Shop:
    """A running shop, whose journal is a file of its own or at a URL."""

    base = "/livesignals/"  # the dashboard's path

    def __init__(self, folder: Path, journal_url: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.journal_path = folder / "journal.sqlite3"
        self.journal_url = journal_url or f"sqlite:///{self.journal_path}"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "SHOP_DATABASE": str(folder / "shop.sqlite3"),
            "LIVESIGNALS_JOURNAL": self.journal_url,
            "TRAFFIC": "0",
        }
        self.server: Program | None = None

    def start(self) -> None:
        """Serve, and return once it answers."""
        arguments: list[str | Path] = [sys.executable, MANAGE, "demo", "--port", str(self.port)]
        self.server = Program(arguments, log=self.folder / "server.log", env=self.environment, cwd=ROOT)
        self.server.wait_for_output(LINK)

    def stop(self) -> None:
        """End the server; what it stored stays."""
        if self.server is not None:
            self.server.stop()

    def link(self) -> str:
        """The one-time link that works now."""
        assert self.server is not None
        lines = [line for line in self.server.output().splitlines() if "dashboard " in line]
        return lines[-1].split()[1]

    def manage(self, *arguments: str) -> str:
        """Run a management command in a process of its own; its output."""
        ended = self.spawn(*arguments)
        output, _ = ended.communicate(timeout=60)
        assert ended.returncode == 0, output
        return output

    def spawn(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a management command."""
        return subprocess.Popen(
            [sys.executable, str(MANAGE), *arguments],
            env=self.environment,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def journal(self) -> Journal:
        """The journal that the shop writes."""
        return open_journal(self.journal_url, project="", retain_events=100_000, retain_bytes=2**28)


class Dashboard:
    """What a person does at the page, and sees there."""

    def __init__(self, page: Page, shop: Shop) -> None:
        self.page = page
        self.shop = shop

    def open(self, query: str = "") -> None:
        """Open the printed link, then the page; returns when it is live."""
        self.page.goto(self.shop.link())
        if query:
            self.page.goto(f"{self.shop.url}/livesignals/{query}")
        self.expect_state("LIVE")

    def expect_state(self, state: str) -> None:
        """Wait for the word in the header."""
        expect(self.page.locator("#state")).to_have_text(state, timeout=PATIENCE_MS)

    def filter(self, text: str) -> None:
        """Type a filter."""
        self.page.locator("#filter").fill(text)
        self.page.locator("#filter").press("Enter")

    def rows(self, signal: str = "", sender: str = "") -> Locator:
        """Rows of signals and senders that end with these."""
        selector = "#rows li.row"
        if signal:
            selector += f'[data-signal$="{signal}"]'
        if sender:
            selector += f'[data-sender$="{sender}"]'
        return self.page.locator(selector)

    def expect_row(self, signal: str, after: int = 0, sender: str = "") -> int:
        """Wait until a row of this signal, with an id above *after*, is to be seen; its id."""
        self.page.wait_for_function(
            """([signal, sender, after]) => [...document.querySelectorAll('#rows li.row[data-id]')].some(
                 ({dataset: row}) => row.signal.endsWith(signal) && row.sender.endsWith(sender) && +row.id > after
               )""",
            arg=[signal, sender, after],
            timeout=PATIENCE_MS,
        )
        return self.newest()

    def newest(self) -> int:
        """The highest id among the rows; 0 without any."""
        ids: list[int] = self.page.evaluate(
            "[...document.querySelectorAll('#rows li.row[data-id]')].map(row => +row.dataset.id)"
        )
        return max(ids, default=0)


TALK = """
from django.dispatch import Signal

asked, answered, heard, refused = Signal(), Signal(), Signal(), Signal()

def answer(sender, **kwargs):
    heard.send(sender="nested", **kwargs)

def refuse(sender, words="not today", **kwargs):
    raise ValueError(words)

answered.connect(answer)
refused.connect(refuse)
"""
DO_AS_TOLD = """
import json, sys
import talk
for line in sys.stdin:
    exec(json.loads(line), vars(talk))
    print("done", flush=True)
"""


class Hand:
    """A process of the shop that makes sends when a test wants them. TALK says which signals it has."""

    def __init__(self, shop: Shop) -> None:
        (shop.folder / "talk.py").write_text(TALK)
        with (shop.folder / "hand.log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, MANAGE, "shell", "-v0", "-c", DO_AS_TOLD],
                env={**shop.environment, "PYTHONPATH": str(shop.folder)},
                cwd=ROOT,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def do(self, code: str) -> None:
        """Run *code* there; returns when it ran."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def send(self, sender: str, times: int = 1, signal: str = "asked", **kwargs: Any) -> None:
        """Send one of them, with ``n`` from 0 on."""
        self.do(f"for n in range({times}): {signal}.send_robust(sender={sender!r}, n=n, **{kwargs!r})")

    def send_each(self, sender: str, times: int) -> None:
        """Send as often, each time by a sender of its own: nothing for the list to fold."""
        self.do(f"for n in range({times}): asked.send_robust(sender={sender!r} + str(n), n=n)")

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(30) == 0


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with its demo data, for the tests of one file."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture
def dashboard(page: Page, shop: Shop) -> Dashboard:
    """A browser of its own at the shop's dashboard, not opened yet."""
    return Dashboard(page, shop)


@pytest.fixture(scope="module")
def hand(shop: Shop) -> Iterator[Hand]:
    hand = Hand(shop)
    yield hand
    hand.end()


class Console:
    """What the browser said about the page; nothing, unless a test expects it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.expected: list[str] = []

    def listen(self, message: ConsoleMessage) -> None:
        self.said.append(message.text)

    def expect(self, pattern: str) -> None:
        self.expected.append(pattern)

    def unexpected(self) -> list[str]:
        return [text for text in self.said if not any(re.search(pattern, text) for pattern in self.expected)]


@pytest.fixture
def console(page: Page) -> Iterator[Console]:
    """No test ends with a message in the console: no error, no warning, no violation of the page's own policy."""
    console = Console()
    page.on("console", console.listen)
    yield console
    assert console.unexpected() == []
