"""Gunicorn's workers, forked from a master that has sent already, or with greenlets for threads."""

import signal
import sys
from collections.abc import Sequence

import pytest

from tests.processes import PATIENCE, Program, free_port
from tests.servers.conftest import ROOT, Site, visit, wait_until

WORKERS = 2


def gunicorn(site: Site, port: int, *options: str) -> Program:
    # gevent must come before Django: in the worker, or here where Django is loaded before there are workers.
    is_early = {"--preload", "gevent"} <= {*options}
    start = ["-m", "gevent.monkey", "--module", "gunicorn"] if is_early else ["-m", "gunicorn"]
    command = [sys.executable, *start, "tests.servers.wsgi:application", "--bind", f"127.0.0.1:{port}"]
    more = ["--workers", str(WORKERS), "--config", "tests/servers/gunicorn_hooks.py", *options]
    return Program([*command, *more], cwd=ROOT, env=site.environment, log=site.folder / "log")


def pids(site: Site, name: str = "django.core.signals.request_finished") -> set[int]:
    """The processes that have served pages."""
    return {pid for pid, signal_name in site.sends() if signal_name == name}


def serve_from_each_worker(site: Site, port: int, *, other_than: set[int] = frozenset()) -> None:  # type: ignore[assignment]
    def is_done() -> bool:
        visit(f"http://127.0.0.1:{port}/login/", times=16)
        return len(pids(site) - other_than) == WORKERS

    wait_until(is_done, "a page from each worker")


@pytest.mark.parametrize(
    "options",
    [
        ["--preload"],
        ["--preload", "--worker-class", "gthread", "--threads", "4"],
        ["--worker-class", "gevent"],
        ["--preload", "--worker-class", "gevent"],
    ],
    ids=["preload", "preload and threads", "gevent", "preload and gevent"],
)
def test_every_send_of_master_and_workers_is_stored_once(site: Site, options: Sequence[str]) -> None:
    """Over a reload that replaces the workers, to the last send that a worker makes when it is told to end."""
    port = free_port()
    with gunicorn(site, port, *options) as program:
        program.wait_for_port(port)
        serve_from_each_worker(site, port)
        first = pids(site)
        program.process.send_signal(signal.SIGHUP)
        wait_until(lambda: program.output().count("Worker exiting") >= WORKERS, "the first workers end")
        serve_from_each_worker(site, port, other_than=first)
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(PATIENCE) == 0
    events = site.settled()
    assert "Traceback" not in program.output()
    ended = [event for event in events if event.sender == "a worker ends"]
    assert len(ended) == 2 * WORKERS
    if "--preload" in options:
        loaded = {event.process.pid for event in events if event.sender.startswith("in the master")}
        assert loaded == {program.process.pid}
    causes = {
        event.cause.kind
        for event in events
        if event.signal.endswith(("template_rendered", "page_served")) and event.cause
    }
    assert causes == {"request"}
