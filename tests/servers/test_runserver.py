"""Django's development server: a process that watches files, and one after the other that serves."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.processes import PATIENCE, Program, free_port
from tests.servers.conftest import ROOT, Site, visit, wait_until

SETTINGS = """
from project.settings import *
INSTALLED_APPS = [*{first_apps}, *INSTALLED_APPS]
WSGI_APPLICATION = "tests.servers.wsgi.application"
ASGI_APPLICATION = "tests.servers.asgi.application"
"""
STARTING = "Starting .*development server"


@pytest.mark.parametrize("first_apps", [[], ["daphne"]], ids=["wsgi", "asgi"])
def test_a_reload_loses_nothing_and_who_watches_files_records_nothing(site: Site, first_apps: Sequence[str]) -> None:
    """What the process before the reload sent last is stored by it."""
    settings = site.folder / "watched_settings.py"
    settings.write_text(SETTINGS.format(first_apps=first_apps))
    path = f"{site.folder}{os.pathsep}{ROOT}"
    environment = {**site.environment, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "watched_settings"}
    port = free_port()
    command = [sys.executable, "-m", "django", "runserver", f"127.0.0.1:{port}"]
    with Program(command, cwd=ROOT, env=environment, log=site.folder / "log") as program:
        program.wait_for_output(STARTING)
        program.wait_for_port(port)
        serve(site, port)
        wait_until(lambda: has_reloaded(site, settings), "a reload")
        program.wait_for_output(rf"(?s){STARTING}.*{STARTING}")
        program.wait_for_port(port)
        serve(site, port)
        (serving,) = {pid for pid, _ in site.sends()} - ended(site)
        os.kill(serving, signal.SIGTERM)  # not to the other one, which would kill this one at once
        assert program.process.wait(PATIENCE) == 0
    events = site.settled()
    assert "Traceback" not in program.output()
    assert len(ended(site)) == 2
    assert {event.process.pid for event in events} == ended(site)
    assert program.process.pid not in ended(site)


def serve(site: Site, port: int) -> None:
    """Pages, to the end of the sends that come after a response."""
    visit(f"http://127.0.0.1:{port}/login/", times=8)
    wait_until(site.is_caught_up, "the journal has what was sent")


def has_reloaded(site: Site, settings: Path) -> bool:
    """Else touches the file again: it may not have been watched yet."""
    if ended(site):
        return True
    settings.touch()
    return False


def ended(site: Site) -> set[int]:
    """The processes that have made their last send."""
    return {pid for pid, name in site.sends() if name == "tests.servers.witness.numbered"}
