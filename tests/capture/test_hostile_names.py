"""What is told of receivers, signals and threads is found without calling code of the project's."""

import asyncio
import contextvars
import functools
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.dispatch import Signal
from django.test import RequestFactory

from livesignals.capture import causes
from livesignals.capture.receivers import receiver_name, short_path
from tests.capture.conftest import Captured

done = Signal()


@pytest.fixture(autouse=True)
def _without_receivers() -> Iterator[None]:
    yield
    done.receivers.clear()


class Hostile:
    """Its own methods, and those that Python would call for it, fail; ``BaseException``, so that nothing hides it."""

    def _fail(self, *args: Any) -> Any:
        raise SystemError("called")

    __getattribute__ = __str__ = __repr__ = __format__ = __eq__ = __hash__ = __bool__ = __len__ = _fail


class HostileMeta(type):
    def _fail(cls, *args: Any) -> Any:
        raise SystemError("called")

    __getattribute__ = __str__ = __repr__ = __eq__ = __hash__ = __instancecheck__ = _fail
    __dict__ = property(_fail)  # type: ignore[misc]


class HostileText(str):
    __slots__ = ()

    def _fail(self, *args: Any) -> Any:
        raise SystemError("called")

    __str__ = __repr__ = __format__ = __eq__ = __hash__ = __len__ = __getitem__ = __iter__ = _fail


class HostileDict(dict[Any, Any]):
    def _fail(self, *args: Any) -> Any:
        raise SystemError("called")

    __getitem__ = get = __contains__ = keys = items = __iter__ = _fail


class HostileError(Exception, metaclass=HostileMeta):
    pass


def plain_receiver(**named: Any) -> None: ...


def hostile_receivers() -> dict[str, Any]:
    def with_module(**named: Any) -> None: ...

    with_module.__module__ = Hostile()  # type: ignore[assignment]

    def with_qualname(**named: Any) -> None: ...

    with_qualname.__qualname__ = HostileText("odd")

    def with_dict(**named: Any) -> None: ...

    with_dict.__dict__ = HostileDict()

    def with_wrapped(**named: Any) -> None: ...

    with_wrapped.__wrapped__ = Hostile()  # type: ignore[attr-defined]

    class WithMeta(metaclass=HostileMeta):
        def __call__(self, **named: Any) -> None: ...

    class Slotted:
        __slots__ = ()

        def __getattribute__(self, name: str) -> Any:
            if name in ("__func__", "__class__", "__call__", "__code__", "_is_coroutine_mark"):
                return object.__getattribute__(self, name)  # Django asks for these itself
            raise SystemError(name)

        def __call__(self, **named: Any) -> None: ...

    class Part(functools.partial):  # type: ignore[type-arg]
        def __getattribute__(self, name: str) -> Any:
            raise SystemError(name)

    return {
        "with_module": with_module,
        "odd": with_qualname,
        "with_dict": with_dict,
        "with_wrapped": with_wrapped,
        "WithMeta": WithMeta(),
        "Slotted": Slotted(),
        "plain_receiver": Part(plain_receiver),
    }


@pytest.mark.parametrize("name", hostile_receivers())
def test_a_hostile_receiver_is_named_without_being_asked(name: str) -> None:
    """Whatever its module, its name, its class or its metaclass is."""
    assert receiver_name(hostile_receivers()[name])[0].endswith(name)


@pytest.mark.parametrize("name", ["with_module", "odd", "with_wrapped", "WithMeta"])
def test_a_send_to_a_hostile_receiver_is_an_event(captured: Captured, name: str) -> None:
    """The event names it, and the send returns what it would."""
    receiver = hostile_receivers()[name]
    done.connect(plain_receiver, weak=False)
    # connect() asks more of a receiver than a dispatch does.
    done.receivers[0] = (done.receivers[0][0], receiver, *done.receivers[0][2:])
    assert [response for _, response in done.send(sender=None)] == [None]
    (event,) = captured.events
    assert [call.name.rpartition(".")[2] for call in event.receivers] == [name]


def test_hostile_errors_and_responses_are_told_by_their_type(captured: Captured) -> None:
    """Neither an error's class nor its arguments nor what a receiver returned is asked anything."""

    def fails(**named: Any) -> None:
        raise HostileError(HostileText("secret"), Hostile(), 3)

    def returns(**named: Any) -> Any:
        return Hostile()

    done.connect(returns)
    done.connect(fails)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the class must not be asked whether it is the one
        done.send(sender=None)
    is_the_error = type(caught.value) is HostileError  # not in the assert, which would show the class
    assert is_the_error
    (event,) = captured.events
    assert event.error is not None
    assert (event.error.type.rpartition(".")[2], event.error.message) == ("HostileError", "3")
    returned, failed = event.receivers
    assert returned.returned is not None
    assert returned.returned.type.endswith("Hostile")
    assert failed.status == "raised"


def test_a_signal_is_looked_for_in_modules_that_must_not_be_asked(
    captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in sys.modules may import when it is asked for an attribute."""

    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise SystemError(name)

    monkeypatch.setitem(sys.modules, "a_lazy_module", Lazy("a_lazy_module"))
    monkeypatch.setitem(sys.modules, "another_one", Hostile())
    looked_for = Signal()
    monkeypatch.setitem(globals(), "looked_for", looked_for)
    looked_for.send(sender=None)
    (event,) = captured.events
    assert event.signal == f"{__name__}.looked_for"


def test_a_signal_whose_class_has_a_hostile_metaclass_is_seen(captured: Captured) -> None:
    """Its class is not asked for its methods or its name."""

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            if name in ("__module__", "__qualname__", "__dict__", "__name__", "__subclasses__"):
                raise SystemError(name)
            return super().__getattribute__(name)

    class Odd(Signal, metaclass=Meta):
        def send(self, sender: Any, **named: Any) -> list[tuple[Any, Any]]:
            return [(None, sender)]

    assert Odd().send(sender=1) == [(None, 1)]
    (event,) = captured.events
    assert event.signal.endswith("Odd without a name")


def test_a_thread_is_not_asked_for_its_name(captured: Captured) -> None:
    """A subclass of Thread may have a property there."""

    class Odd(threading.Thread):
        @property
        def name(self) -> str:  # type: ignore[override]
            if sys._getframe(1).f_globals.get("__name__", "").startswith("livesignals"):
                raise SystemError("name")
            return self._name  # type: ignore[attr-defined,no-any-return]

        def run(self) -> None:
            done.send(sender=None)

    thread = Odd(name="odd")
    thread.start()
    thread.join()
    (event,) = captured.events
    assert event.thread == "odd"


def test_a_folder_that_is_gone_does_not_lose_an_event(tmp_path: Path) -> None:
    """The path of a receiver is shortened by the current folder, if there is one."""
    before = os.getcwd()
    folder = tmp_path / "gone"
    folder.mkdir()
    os.chdir(folder)
    folder.rmdir()
    try:
        assert short_path("/somewhere/of/the/shop/receivers.py") == "the/shop/receivers.py"
    finally:
        os.chdir(before)


def test_requests_and_tasks_of_hostile_make_are_not_asked(captured: Captured) -> None:
    """Method and path are told when they are plain text; a task by its function."""
    begins = contextvars.copy_context().run
    cause = begins(causes.request_begins, {"environ": {"REQUEST_METHOD": "GET", "PATH_INFO": Hostile()}})
    assert cause is not None
    assert cause.name == "GET "
    request = RequestFactory().get("/")
    request.user = Hostile()  # type: ignore[assignment]
    assert causes._user_of(request) is None

    class Asking:
        @property
        def task(self) -> Any:
            raise SystemError("task")

    assert begins(causes.task_begins, {"task_result": Asking()}) is not None
    task = begins(causes.task_begins, {"task_result": SimpleNamespace(task=SimpleNamespace(func=plain_receiver))})
    assert task is not None
    assert task.name == f"{__name__}.plain_receiver"


def test_an_awaitable_is_awaited_as_python_does(captured: Captured) -> None:
    """By its class's ``__await__``, not by one that the instance pretends to have."""

    class Answer:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return "answer"

        def __getattribute__(self, name: str) -> Any:
            if name == "__await__" and sys._getframe(1).f_globals.get("__name__", "").startswith("livesignals"):
                raise SystemError(name)
            return super().__getattribute__(name)

    def answers(**named: Any) -> Any:
        return Answer()

    answers._is_coroutine_mark = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    done.connect(answers, weak=False)
    done.receivers[0] = (*done.receivers[0][:-1], True)
    assert asyncio.run(done.asend(sender=None)) == [(answers, "answer")]
    (event,) = captured.events
    assert [(call.status, call.is_async) for call in event.receivers] == [("returned", True)]
