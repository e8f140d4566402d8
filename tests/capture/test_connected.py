"""Which receivers are connected, told without calling any code of theirs."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from livesignals.capture.connected import Connection, connected_signals


class Trap:
    """A receiver and sender that, once it is armed, says so when it is asked anything."""

    armed = False

    def __call__(self, **kwargs: Any) -> None:
        """The receiver's work."""

    def __repr__(self) -> str:
        raise AssertionError("repr")

    __str__ = __repr__

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name) if Trap.armed else AttributeError(name)


class Receivers:
    """With a method that receives."""

    def method(self, **kwargs: Any) -> None:
        """The receiver's work."""


def plain(sender: Any, **kwargs: Any) -> None:
    """A receiver."""


async def waiting(sender: Any, **kwargs: Any) -> None:
    """An async receiver."""


some_signal = Signal()


@pytest.fixture
def owner() -> Iterator[Receivers]:
    """Kept by the test: a method is held weakly. What was connected to the signal goes with it."""
    yield Receivers()
    some_signal.receivers.clear()


def connections() -> list[Connection]:
    [found] = [each for each in connected_signals() if each.name == f"{__name__}.some_signal"]
    assert found.family == "custom"
    return found.receivers


def test_each_kind_of_connection_is_told(owner: Receivers, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they are called; one whose receiver is gone is not there."""
    trap = Trap()
    gone = Receivers()
    some_signal.connect(plain)
    some_signal.connect(waiting, sender=Receivers, dispatch_uid="once")
    some_signal.connect(owner.method)
    some_signal.connect(gone.method)
    some_signal.connect(trap, sender=trap, weak=False, dispatch_uid=("a", 1))
    del gone
    gc.collect()
    monkeypatch.setattr(Trap, "armed", True)
    found = connections()
    here = "tests/capture/test_connected.py"
    assert [(each.name.removeprefix(f"{__name__}."), each.is_async, each.is_weak) for each in found] == [
        ("plain", False, True),
        ("waiting", True, True),
        ("Receivers.method", False, True),
        ("Trap", False, False),
    ]
    assert [each.dispatch_uid for each in found] == [None, "once", None, "<tuple>"]
    assert [each.sender for each in found] == [None, f"{__name__}.Receivers", None, f"{__name__}.Trap"]
    assert all(each.place is not None and each.place.startswith(here) for each in found)


def test_signals_without_receivers_are_there_too() -> None:
    """Django's first, in the order of its own documentation."""
    names = [each.name for each in connected_signals()]
    assert names[:3] == [f"django.db.models.signals.{name}" for name in ("pre_init", "post_init", "pre_save")]
    assert connections() == []
