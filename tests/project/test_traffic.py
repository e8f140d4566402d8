"""Traffic through the real HTTP stack: daphne in one process, customers in another."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.processes import PATIENCE, Program, free_port

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "project" / "manage.py"


class ShopFolder:
    """A shop of its own: database, journal, logs and port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "shop.sqlite3"
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "SHOP_DATABASE": str(self.database),
            "LIVESIGNALS_JOURNAL": f"sqlite:///{folder / 'journal.sqlite3'}",
            "PYTHONPATH": str(ROOT),
        }
        self.manage("migrate", "--verbosity=0")
        self.manage("demo_data", "--verbosity=0")

    def manage(self, *arguments: str) -> str:
        """What the command printed. Runs from a foreign folder, as any may be used."""
        done = subprocess.run(
            [sys.executable, MANAGE, *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout

    def serve(self) -> Program:
        log = self.folder / "daphne.log"
        daphne = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(self.port)]
        return Program([*daphne, "project.asgi:application"], log=log, cwd=self.folder, env=self.env)

    def visit(self, *arguments: str) -> Program:
        traffic = [sys.executable, str(MANAGE), "traffic", "--url", self.url, *arguments]
        return Program(traffic, log=self.folder / "traffic.log", cwd=self.folder, env=self.env)

    def count(self, condition: str = "TRUE") -> int:
        """Requests that the shop logged, by an SQL condition."""
        with sqlite3.connect(self.database, timeout=20) as connection:
            [number] = connection.execute(f"SELECT count(*) FROM shop_requestlog WHERE {condition}").fetchone()
        connection.close()
        assert isinstance(number, int)
        return number

    def served_more_than(self, number: int, condition: str = "TRUE") -> bool:
        return self.count(condition) > number


@pytest.fixture(scope="module")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> ShopFolder:
    return ShopFolder(tmp_path_factory.mktemp("shop"))


def has_said(program: Program, words: str, times: int) -> bool:
    return program.output().count(words) == times


def until(is_so: Callable[[], bool], program: Program) -> None:
    """Waits for what *program* is to bring about."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert program.process.poll() is None, program.output()
        assert time.monotonic() < deadline, program.output()
        time.sleep(0.1)


def test_customers_log_in_buy_fail_and_edit_through_http(shop_folder: ShopFolder) -> None:
    """Every kind of visit reaches the shop; failures on purpose leave no traceback in the server's log."""
    wanted = (
        "path = '/login/' AND method = 'POST' AND status = 302",
        "path = '/login/' AND method = 'POST' AND status = 200",
        "path = '/cart/checkout/' AND status = 302",
        "path LIKE '/orders/%/pay/' AND status = 302",
        "path LIKE '/orders/%/cancel/' AND status = 302",
        "path LIKE '/admin/shop/product/%/change/' AND method = 'POST' AND status = 302",
        "path = '/broken/' AND error = 'BrokenPage'",
    )
    with shop_folder.serve() as server:
        server.wait_for_port(shop_folder.port)
        with shop_folder.visit("--rate", "40") as traffic:
            for condition in wanted:
                until(partial(shop_folder.served_more_than, 0, condition), traffic)
            said = server.output()  # before they leave: Django tells of a page that nobody waits for any more
        assert "Traceback" not in said, said
    assert shop_folder.count("status = 403") == 0
    assert shop_folder.count("duration_ms <= 0") == 0


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_with_one_line(shop_folder: ShopFolder, ending: signal.Signals) -> None:
    """Exit status 0, no traceback, and how much it did."""
    with shop_folder.serve() as server:
        server.wait_for_port(shop_folder.port)
        before = shop_folder.count()
        with shop_folder.visit("--rate", "20") as traffic:
            until(partial(shop_folder.served_more_than, before), traffic)
            traffic.process.send_signal(ending)
            assert traffic.process.wait(PATIENCE) == 0
            [line] = traffic.output().splitlines()
    assert re.fullmatch(r"\d+ requests in \d+ s \(.*\), \d+ refused, \d+ failed\.", line)


def test_it_ends_by_itself_when_its_time_is_over(shop_folder: ShopFolder) -> None:
    """With --seconds nobody has to stop it; with --verbosity 0 it says nothing."""
    with shop_folder.serve() as server:
        server.wait_for_port(shop_folder.port)
        with shop_folder.visit("--rate", "20", "--seconds", "2", "--verbosity", "0") as traffic:
            assert traffic.process.wait(PATIENCE) == 0
            assert traffic.output() == ""


def test_it_waits_for_a_shop_that_is_away_and_says_so_once(shop_folder: ShopFolder) -> None:
    """Started before the server, and again when the server is restarted under it."""
    with shop_folder.visit("--rate", "20", "--customers", "5") as traffic:
        for times in (1, 2):
            until(partial(has_said, traffic, "does not answer; waiting.", times), traffic)
            with shop_folder.serve() as server:
                server.wait_for_port(shop_folder.port)
                until(partial(has_said, traffic, "answers again.", times), traffic)
                served = shop_folder.count()
                until(partial(shop_folder.served_more_than, served), traffic)
        until(partial(has_said, traffic, "does not answer; waiting.", 3), traffic)
        traffic.process.send_signal(signal.SIGTERM)
        assert traffic.process.wait(PATIENCE) == 0
        assert len(traffic.output().splitlines()) == 6


@pytest.mark.parametrize("rate", ["0", "-3", "inf", "nan", "often"])
def test_a_rate_that_is_none_is_refused(shop_folder: ShopFolder, rate: str) -> None:
    """The command says what it wants and does nothing."""
    with shop_folder.visit(f"--rate={rate}") as traffic:
        assert traffic.process.wait(PATIENCE) == 2
        assert "--rate" in traffic.output()


@pytest.mark.parametrize("folder", [ROOT, MANAGE.parent])
def test_manage_py_works_from_any_folder(shop_folder: ShopFolder, folder: Path) -> None:
    """From the repository's root and beside itself; the shop is imported under one name only."""
    shown = subprocess.run(
        [
            sys.executable,
            str(MANAGE.relative_to(folder)),
            "shell",
            "-c",
            "import sys; print('shop' in sys.modules)",
        ],
        cwd=folder,
        env={key: value for key, value in shop_folder.env.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert shown.stdout.splitlines()[-1] == "False"
