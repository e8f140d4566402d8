"""A Celery worker: what its tasks send is told as theirs and stored, whatever kind of pool runs them."""

import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import pytest
from celery import Celery

from tests.processes import PATIENCE, Program
from tests.servers.conftest import ROOT, Site
from tests.transport.programs import run, stored

TASKS = 6


@pytest.mark.parametrize(
    "pool",
    [
        ["prefork", "--concurrency", "2", "--max-tasks-per-child", "2"],
        ["threads", "--concurrency", "2"],
        ["solo"],
        ["gevent", "--concurrency", "10"],
    ],
    ids=lambda pool: pool[0],
)
def test_the_sends_of_a_task_are_told_as_its_own_and_stored(site: Site, redis_url: str, pool: Sequence[str]) -> None:
    """With its name and its id in Celery, one that fails and one inside another too; to the worker's last send."""
    site.environment |= {"BROKER": redis_url, "QUEUE": pool[0]}
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
    command = [sys.executable, "-m", "celery", "--app", "tests.servers.work", "worker", *quiet, "--pool", *pool]
    with (
        Program(command, cwd=ROOT, env=site.environment, log=site.folder / "log") as worker,
        Celery(broker=redis_url, backend=redis_url) as client,
    ):
        results = {
            first: client.send_task("shop.count", (first, first == 100), queue=pool[0])
            for first in range(0, TASKS * 100, 100)
        }
        pids = {first: result.get(PATIENCE, propagate=False) for first, result in results.items()}
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(PATIENCE) == 0
    assert isinstance(pids.pop(100), ValueError)

    events = [event for event in site.settled() if event.sender == "in a task"]
    causes = {event.kwargs["n"]: event.cause for event in events}
    assert {event.process.pid for event in events} >= set(pids.values())
    assert Counter(event.kwargs["n"] for event in events) == Counter(first + n for first in results for n in range(3))
    for first, result in results.items():
        own, inner, own_again = (causes[first + n] for n in range(3))
        assert own
        assert inner
        assert (own.kind, own.name, own.id) == ("task", "shop.count", result.id)
        assert own_again == own
        assert (inner.kind, inner.name) == ("task", "shop.count")
        assert inner.id != own.id


def test_a_task_that_is_run_at_once_returns_to_what_it_was_run_in(tmp_path: Path) -> None:
    """In a receiver of a project that loads Celery late: what comes after is the receiver's again."""
    program = """
        send(0)
        from celery import Celery
        app = Celery(set_as_current=False)
        app.conf.task_always_eager = True

        @app.task(name="shop.later")
        def later(n):
            send(n)

        def receive(sender, n, **kwargs):
            if n == 1:
                later.delay(2)
                send(3)
        numbered.connect(receive)
        Signal().send(sender="the first of another signal")
        send(1)
        send(4)
    """
    path = tmp_path / "journal.sqlite3"
    assert run(dedent(program), path) == ""
    events = {event.kwargs["n"]: event for event in stored(path)}
    causes = [events[n].cause for n in range(5)]
    assert causes[2]
    assert (causes[2].kind, causes[2].name) == ("task", "shop.later")
    assert {cause for n, cause in enumerate(causes) if n != 2} == {causes[0]}
    assert (events[3].parent, events[4].parent) == (events[1].uid, None)
