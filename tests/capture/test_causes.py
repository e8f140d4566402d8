"""What a send ran inside is told where it is known, and not guessed where it is not."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import django
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.dispatch import Signal
from django.test import AsyncClient, Client

from livesignals.events import Cause, decode
from tests.capture.conftest import Captured

ROOT = Path(__file__).resolve().parents[2]
noted = Signal()


def cause_of(captured: Captured, sender: str) -> Cause:
    (event,) = [event for event in captured.of("noted") if event.sender == sender]
    assert event.cause is not None
    return event.cause


@pytest.mark.django_db
def test_a_request_is_told_by_method_path_route_status_and_user(captured: Captured) -> None:
    """The route is known once Django has resolved it; status and user when the response is closed."""
    client = Client()
    user = User.objects.create_user("mary", password="secret")
    client.force_login(user)
    captured.sends.clear()
    assert client.get("/orders/").status_code == 200
    causes = [event.cause for event in captured.events if event.cause and event.cause.kind == "request"]
    assert {cause.name for cause in causes} == {"GET /orders/"}
    assert len({cause.id for cause in causes}) == 1
    (last,) = captured.of("request_finished")
    assert last.cause is not None
    assert (last.cause.route, last.cause.status, last.cause.user) == ("orders/", 200, str(user.pk))


@pytest.mark.django_db(transaction=True)
def test_an_asgi_request_is_told_the_same(captured: Captured) -> None:
    """Through the async handler, with the view on another thread."""
    response = asyncio.run(AsyncClient().get("/login/"))
    assert response.status_code == 200
    (last,) = captured.of("request_finished")
    assert last.cause is not None
    assert (last.cause.name, last.cause.route, last.cause.status) == ("GET /login/", "login/", 200)
    rendered = captured.of("template_rendered")
    assert rendered
    assert {event.cause and event.cause.id for event in rendered} == {last.cause.id}


@pytest.mark.django_db
def test_two_requests_are_two_causes_and_what_comes_after_is_neither(captured: Captured) -> None:
    """A cause ends with its request."""
    Client().get("/login/")
    Client().get("/login/")
    noted.send(sender="after")
    ids = {event.cause.id for event in captured.of("request_started") if event.cause}
    assert len(ids) == 2
    assert cause_of(captured, "after").kind == "test"


def test_the_running_test_is_named(captured: Captured) -> None:
    """pytest says which one it is."""
    noted.send(sender="here")
    cause = cause_of(captured, "here")
    assert cause.kind == "test"
    assert cause.name.endswith("test_causes.py::test_the_running_test_is_named")


def test_a_thread_of_the_projects_own_is_called_one(captured: Captured) -> None:
    """Nothing tells what it works for, so nothing is said."""
    thread = threading.Thread(target=lambda: noted.send(sender="there"), name="mailer")
    thread.start()
    thread.join()
    cause = cause_of(captured, "there")
    assert cause.kind in ("thread", "test")
    if cause.kind == "thread":
        assert cause.name.startswith("mailer of ")


@pytest.mark.django_db
def test_a_secret_in_a_path_is_masked(captured: Captured) -> None:
    """The token of a password reset link is in its path."""
    Client().get("/reset/MQ/c5x9pl-0123456789abcdef0123456789abcdef/")
    names = {event.cause.name for event in captured.events if event.cause}
    assert not any("0123456789abcdef" in name for name in names)


@pytest.mark.django_db
def test_a_command_that_a_test_calls_belongs_to_the_test(captured: Captured) -> None:
    """The outermost cause is the one that answers why."""
    call_command("migrate", verbosity=0)
    causes = {event.cause.kind for event in captured.of("post_migrate") if event.cause}
    assert causes == {"test"}


@pytest.mark.skipif(django.VERSION < (6, 0), reason="Django has tasks from 6.0 on")
def test_a_task_that_is_run_at_once_returns_to_the_receiver_that_enqueued_it(captured: Captured) -> None:
    """Django's own backend for development; the task is told by its name and its id."""
    from django.tasks import task

    inner = task(_noting)
    results = []

    def enqueue(sender: object, **kwargs: object) -> None:
        if sender == "outside":
            results.append(inner.enqueue("in a task"))
            noted.send(sender="after the task")

    noted.connect(enqueue)
    try:
        noted.send(sender="outside")
        noted.send(sender="at last")
    finally:
        noted.disconnect(enqueue)
    cause = cause_of(captured, "in a task")
    assert (cause.kind, cause.name, cause.id) == ("task", f"{__name__}._noting", results[0].id)
    events = {event.sender: event for event in captured.of("noted")}
    assert events["after the task"].parent == events["outside"].uid
    assert events["after the task"].cause == events["outside"].cause == events["at last"].cause
    assert events["at last"].parent is None


def _noting(sender: str) -> None:
    noted.send(sender=sender)


def test_commands_and_unittest_tests_are_named_in_their_own_processes(tmp_path: Path) -> None:
    """``manage.py migrate`` and a test run by Django's runner."""
    (tmp_path / "test_example.py").write_text(
        "from django.test import SimpleTestCase\n"
        "from django.dispatch import Signal\n"
        "noted = Signal()\n"
        "class Example(SimpleTestCase):\n"
        "    def test_it(self):\n"
        "        noted.send(sender='in a test')\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "SHOP_DATABASE": str(tmp_path / "shop.sqlite3"),
        "LIVESIGNALS_JOURNAL": f"sqlite:///{tmp_path / 'journal.sqlite3'}",
    }

    def manage(*arguments: str) -> str:
        command = [sys.executable, str(ROOT / "project" / "manage.py"), *arguments]
        ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    manage("migrate", "--verbosity", "0")
    manage("test", "test_example", "--verbosity", "0")
    events = [decode(line) for line in manage("livesignals", "export").splitlines()]
    migrated = {e.cause.name for e in events if e.signal.endswith(".post_migrate") and e.cause}
    assert migrated == {"manage.py migrate"}
    (noted_event,) = [event for event in events if event.sender == "in a test"]
    assert noted_event.cause is not None
    assert (noted_event.cause.kind, noted_event.cause.name) == ("test", "test_example.Example.test_it")
