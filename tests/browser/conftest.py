"""The shop as `make run` starts it, with a database and journal of its own, and a person at the dashboard."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from livesignals.journal import Journal, open_journal
from tests.processes import Program, free_port

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "project" / "manage.py"
PATIENCE_MS = 30_000  # until what should be seen is given up; Playwright's own, 5 s, is not enough for a busy machine
expect.set_options(timeout=PATIENCE_MS)

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
        self._journal: Journal | None = None

    def start(self) -> None:
        """Serve, and return once it answers."""
        arguments: list[str | Path] = [sys.executable, MANAGE, "demo", "--port", str(self.port)]
        self.server = Program(arguments, log=self.folder / "server.log", env=self.environment, cwd=ROOT)
        self.server.wait_for_output(LINK)

    def stop(self) -> None:
        """End the server; what it stored stays."""
        if self.server is not None:
            self.server.stop()
        if self._journal is not None:
            self._journal.close()

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
        if self._journal is None:
            self._journal = open_journal(self.journal_url, project="", retain_events=100_000, retain_bytes=2**28)
        return self._journal


SOCKET = f"{Shop.base}static/livesignals/js/socket.js"
#: Promises that the server says that it sends no rows.
HELD = f"""async () => {{
  const {{ on }} = await import("{SOCKET}");
  window.held = new Promise((resolve) => on("state", ({{ live }}) => live || resolve()));
}}"""


class Dashboard:
    """What a person does at the page, and sees there."""

    def __init__(self, page: Page, shop: Shop) -> None:
        self.page = page
        self.shop = shop

    def open(self, query: str = "") -> None:
        """Open the printed link, or with a *query* an address as who has been here before; returns when the page is
        live and has its first frame."""
        if query:
            self.page.context.request.get(self.shop.link())  # for its cookie
            self.page.goto(f"{self.shop.url}/livesignals/{query}")
        else:
            self.page.goto(self.shop.link())
        self.expect_state("LIVE")
        expect(self.page.locator("#list")).not_to_have_attribute("data-empty", "loading")

    def expect_state(self, state: str) -> None:
        """Wait for the word in the header."""
        expect(self.page.locator("#state")).to_have_text(state, timeout=PATIENCE_MS)

    def filter(self, text: str) -> None:
        """Type a filter."""
        self.page.locator("#filter").fill(text)
        self.page.locator("#filter").press("Enter")

    def type_filter(self, text: str) -> None:
        """Type at the keyboard, without Enter. On a busy machine what is typed in between is a filter too."""
        self.page.locator("#filter").fill("")
        self.page.locator("#filter").press_sequentially(text)

    def pause(self) -> None:
        """Press Pause; returns when the server holds the list, too, and counts what comes."""
        self.page.evaluate(HELD)
        self.page.locator("#pause").click()
        self.expect_state("PAUSED")
        self.page.evaluate("window.held")

    def drop(self) -> None:
        """The socket closes under the page; returns when there is another one."""
        with self.page.expect_websocket():
            self.page.evaluate(f"import('{SOCKET}').then(module => module.drop())")

    def rows(self, signal: str = "", sender: str = "") -> Locator:
        """Rows of signals and senders that end with these."""
        selector = "#rows li.row"
        if signal:
            selector += f'[data-signal$="{signal}"]'
        if sender:
            selector += f'[data-sender$="{sender}"]'
        return self.page.locator(selector)

    def shown(self) -> list[int]:
        """The ids of the rows, from top to bottom."""
        ids: list[int] = self.rows().evaluate_all("rows => rows.map(row => +row.dataset.id)")
        return ids

    def expect_rows(self, count: int, sender: str = "") -> None:
        """Wait until there are so many."""
        expect(self.rows(sender=sender)).to_have_count(count)

    def expect_senders(self, *senders: str) -> None:
        """Wait until there are rows of each of these senders and of no others."""
        self.expect_only("sender", senders)

    def expect_only(self, key: str, values: tuple[str, ...]) -> None:
        """Wait until the rows have each of these values of ``data-<key>`` and no others."""
        self.page.wait_for_function(
            """([key, values]) => {
                 const shown = new Set([...document.querySelectorAll("#rows .row")].map(row => row.dataset[key]));
                 return shown.size === values.length && values.every(value => shown.has(value));
               }""",
            arg=[key, values],
            timeout=PATIENCE_MS,
        )

    def expect_filter(self, text: str) -> None:
        """Wait until the field holds it, and it is in force."""
        expect(self.page.locator("#filter")).to_have_value(text)
        expect(self.page.locator("#filter")).not_to_have_attribute("aria-invalid", "true")

    def until(self, is_so: Callable[[], bool], patience_ms: int = 2 * PATIENCE_MS) -> None:
        """Wait until it is so."""
        for _ in range(patience_ms // 50):
            if is_so():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"it never came to that; the list shows {self.shown()}")

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
FLUSH = "\nfrom livesignals.transport.process import get_flusher; get_flusher().flush()"


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
        """Run *code* there; returns when it ran, and what it sent is in the journal, if that can be used."""
        self.begin(code + FLUSH)
        self.finish()

    def begin(self, code: str) -> None:
        """Run *code* there, without waiting for it. It may read a line, which :meth:`proceed` gives it."""
        self._tell(json.dumps(code))

    def proceed(self) -> None:
        """Give it the line."""
        self._tell("")

    def finish(self) -> None:
        """Wait until what was begun ran."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "done\n"

    def _tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

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
