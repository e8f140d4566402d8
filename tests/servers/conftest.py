"""A site in processes of its own: its database, its journal and its witness."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from livesignals.events import Event
from livesignals.journal import Journal, ProcessReport, open_journal
from tests.processes import PATIENCE
from tests.servers import witness

ROOT = Path(__file__).parents[2]


class Site:
    """Where a test's processes leave what they did."""

    def __init__(self, folder: Path, database: Path) -> None:
        self.folder = folder
        self.witness = folder / "witness"
        self.journal_path = folder / "journal.sqlite3"
        shutil.copy(database, folder / "shop.sqlite3")
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "SHOP_DATABASE": str(folder / "shop.sqlite3"),
            "LIVESIGNALS_JOURNAL": f"sqlite:///{self.journal_path}",
            "WITNESS": str(self.witness),
        }

    def sends(self) -> witness.Sends:
        """What the processes sent, as they saw it themselves."""
        return witness.read(self.witness)

    def open_journal(self) -> Journal:
        """The journal of those processes."""
        return open_journal(f"sqlite:///{self.journal_path}", project="", retain_events=10**6, retain_bytes=2**30)

    def events(self) -> list[Event]:
        """All that is stored."""
        journal = self.open_journal()
        events = journal.read(0, 10**6)
        journal.close()
        return events

    def is_caught_up(self) -> bool:
        """Whether all sends that the witness has seen, and that may still have been on their way, are stored."""
        return count(self.events()) == self.sends()

    def settled(self) -> list[Event]:
        """All that is stored, now that every process has ended. Each send is there once, and the figures say so."""
        journal = self.open_journal()
        events = journal.read(0, 10**6)
        reports, counts = journal.processes(), journal.counts()
        journal.close()
        assert count(events) == self.sends()
        assert len({event.uid for event in events}) == len(events)
        assert (counts.captured, counts.dropped, counts.buffered) == (counts.stored, {}, 0)
        by_process = Counter(event.process.pid for event in events)
        assert {report.pid: report.captured for report in reports} == by_process
        assert all(is_settled(report) for report in reports)
        return events


def count(events: list[Event]) -> witness.Sends:
    """What the witness should have written down."""
    return Counter((event.process.pid, event.signal) for event in events if event.signal in witness.WITNESSED)


def is_settled(report: ProcessReport) -> bool:
    """Whether all that a process captured is stored."""
    return (report.captured, report.dropped, report.buffered) == (report.stored, {}, 0)


def visit(url: str, times: int = 1) -> None:
    """Open a page, several times at once."""

    def get(_: int) -> None:
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            assert response.status == 200
            response.read()

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(get, range(times)))


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Returns once *condition* holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not after {PATIENCE:.0f} s"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's database with its tables, to be copied."""
    path = tmp_path_factory.mktemp("shop") / "shop.sqlite3"
    subprocess.run(
        [sys.executable, ROOT / "project" / "manage.py", "migrate", "--verbosity", "0"],
        env={**os.environ, "SHOP_DATABASE": str(path), "SHOP_DEBUG": "0"},
        check=True,
    )
    return path


@pytest.fixture
def site(tmp_path: Path, database: Path) -> Site:
    return Site(tmp_path, database)
