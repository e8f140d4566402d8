"""What is made of a send, from its arguments to its JSON."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from livesignals.snapshot import freeze
from livesignals.snapshot.masking import Masking
from livesignals.snapshot.render import render

Show = Callable[..., dict[str, Any]]


@pytest.fixture
def show() -> Show:
    """The arguments of a send, as its event carries them."""

    def show(
        signal: str = "", masking: Masking | None = None, names_only: bool = False, **named: Any
    ) -> dict[str, Any]:
        rendered, _ = render(freeze(named), masking or Masking(), names_only=names_only, signal=signal)
        shown: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(rendered))
        return shown

    return show
