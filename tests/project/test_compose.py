"""``compose.yaml``: what its services run, with their environments, as processes of this machine."""

import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from livesignals.events import Event
from livesignals.journal import open_journal
from tests.browser.conftest import ROOT, Shop
from tests.dashboard.conftest import Socket, ask, log_in
from tests.journal.redis_servers import RedisServer
from tests.processes import PATIENCE, Program, free_port

COMPOSE = ROOT / "compose.yaml"
DOCKERFILE = ROOT / "project" / "Dockerfile"
DATA = "/data"


def read(path: Path) -> dict[str, Any]:
    """Of YAML what the file is written in: mappings by indentation, JSON for what is not plain text."""
    root: dict[str, Any] = {}
    open_at = [(-1, root)]
    for line in path.read_text().splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        key, value = re.fullmatch(r"\s*(\w+):(?: (\S.*))?", line).groups()  # type: ignore[union-attr]
        while open_at[-1][0] >= indent:
            open_at.pop()
        into = open_at[-1][1]
        assert key not in into, f"{key} stands there twice"
        if value is None:
            into[key] = {}
            open_at.append((indent, into[key]))
        else:
            into[key] = json.loads(value) if value[0] in '[{"' else value
    return root


COMPOSED = read(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = COMPOSED["services"]
IMAGE = dict(
    pair.split("=") for line in re.findall(r"^ENV (.*)$", DOCKERFILE.read_text(), re.MULTILINE) for pair in line.split()
)


class Fleet:
    """The services on this machine: names and ports of the composed ones stand for ports of 127.0.0.1."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self.folder = folder
        self.ports = {"redis": redis.port, "web1": free_port(), "web2": free_port()}
        self.journal_url = self._here(SERVICES["web1"]["environment"]["LIVESIGNALS_JOURNAL"], "web1")
        self._stack = ExitStack()

    def start(self, name: str) -> Program:
        """Run what a service runs."""
        service = SERVICES[name]
        arguments = [self._here(word, name) for word in service["command"]]
        environment = {key: self._here(value, name) for key, value in {**IMAGE, **service["environment"]}.items()}
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        log = self.folder / f"{name}.log"
        program = Program(arguments, log=log, cwd=ROOT, env={"PATH": path, "HOME": str(self.folder), **environment})
        self._stack.push(program)
        return program

    def close(self) -> None:
        self._stack.close()

    def shop(self, name: str) -> Shop:
        """The shop as this web server serves it."""
        shop = Shop(self.folder, self.journal_url)
        shop.port = self.ports[name]
        shop.url = f"http://127.0.0.1:{shop.port}"
        shop.environment["SHOP_DATABASE"] = self._here(IMAGE["SHOP_DATABASE"], name)
        return shop

    def events(self) -> list[Event]:
        journal = open_journal(self.journal_url, project="", retain_events=10**6, retain_bytes=2**30)
        try:
            return journal.read(0, 10**6)
        finally:
            journal.close()

    def _here(self, word: str, name: str) -> str:
        for other in self.ports:
            word = re.sub(rf"//{other}:\d+", f"//127.0.0.1:{self.ports[other]}", word)
        word = word.replace(DATA, str(self.folder)).replace("0.0.0.0", "127.0.0.1")
        return str(self.ports[name]) if word == "8000" else word


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    # As the file has it but for the port: every option after the program's name.
    with RedisServer(tmp_path, *SERVICES["redis"]["command"][1:]) as redis:
        fleet = Fleet(tmp_path, redis)
        yield fleet
        fleet.close()


def test_two_web_servers_and_a_worker_are_seen_in_the_dashboard_of_one_of_them(fleet: Fleet) -> None:
    """By the commands and environments of the file: each send with the process that made it, live."""
    assert fleet.start("setup").process.wait(PATIENCE) == 0
    webs = {name: fleet.start(name) for name in ("web1", "web2")}
    for name, web in webs.items():
        web.wait_for_port(fleet.ports[name])
        assert '"status":"ok"' in ask(fleet.shop(name), "health").text
    shop = fleet.shop("web1")
    with Socket(shop, log_in(shop, "admin", "admin")) as page:
        page.hello()
        pids = {name: web.process.pid for name, web in webs.items()}
        pids["worker"] = fleet.start("worker").process.pid
        for name in ("web1", "web2"):
            assert ask(fleet.shop(name), f"/{name}/").status == 404
        shown = ""
        for pid in pids.values():
            while '<span class="proc" title="' not in shown or f">{pid}</span>" not in shown:
                shown += page.next("rows")["content"]


def test_the_worker_sends_off_what_was_paid_and_its_customers_go_shopping(fleet: Fleet) -> None:
    """Worker and customers do what they are there for, and when they are ended, their last sends are stored."""
    assert fleet.start("setup").process.wait(PATIENCE) == 0
    web = fleet.start("web2")
    web.wait_for_port(fleet.ports["web2"])
    shop = fleet.shop("web2")
    shop.manage(
        "shell",
        "-c",
        "from django.contrib.auth.models import User; from project.shop.models import Order;"
        "Order.objects.create(customer=User.objects.first(), status='paid')",
    )
    worker, customers = fleet.start("worker"), fleet.start("customers2")
    deadline = time.monotonic() + PATIENCE
    wanted = {(worker.process.pid, "shop.Order"), (web.process.pid, "None")}
    while not wanted <= {(event.process.pid, event.sender) for event in fleet.events()}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for program in (worker, customers, web):
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(PATIENCE) == 0
        assert "Traceback" not in program.output()
    journal = open_journal(fleet.journal_url, project="", retain_events=10**6, retain_bytes=2**30)
    counts, roles = journal.counts(), {report.role for report in journal.processes()}
    journal.close()
    assert {"daphne", "manage.py warehouse"} <= roles
    assert (counts.captured, counts.buffered) == (counts.stored, 0)


def test_the_file_names_nothing_that_is_not_there() -> None:
    """Services, volumes, what the image is made of; and no registry, so that the engine's own is used."""
    for service in SERVICES.values():
        assert {*service.get("depends_on", {})} <= {*SERVICES}
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= {*COMPOSED["volumes"]}
        built = service.get("build", {"context": ".", "dockerfile": "project/Dockerfile"})
        assert (ROOT / built["context"] / built["dockerfile"]).resolve() == DOCKERFILE
        assert "/" not in service.get("image", "")
    lines = DOCKERFILE.read_text().splitlines()
    assert [line for line in lines if line.startswith("FROM")] == ["FROM python:3.13-slim"]
    for line in lines:
        if line.startswith("COPY"):
            assert (ROOT / line.split()[1]).exists()
