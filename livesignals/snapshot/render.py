"""Second step, on the flusher's thread: frozen values to masked JSON-safe data.

The shapes that come out: plain scalars; ``{"model", "pk", "fields"}`` for a model instance; ``{"type", …}`` for what
is told by its class only; lists and dicts; text that was cut ends with "…"; a masked value is "••••••".
"""

import datetime
import math
from decimal import Decimal
from typing import Any
from uuid import UUID

from livesignals.snapshot.freeze import ClassName, Cut, Instance, Items, Opaque, Pairs, Partial
from livesignals.snapshot.masking import MASK, Masking

_MAX_EXACT_INT = 2**63 - 1


class Renderer:
    """Makes JSON-safe data of one send's frozen values and remembers what had to be left out."""

    __slots__ = ("flags", "masking", "names_only")

    def __init__(self, masking: Masking, *, names_only: bool) -> None:
        self.masking = masking
        self.names_only = names_only
        self.flags: set[str] = set()

    def named(self, frozen: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments of a send."""
        return {self.key(name): self.value(value, name) for name, value in frozen.items()}

    def value(self, value: Any, name: str = "") -> Any:
        """One value that is known by *name*."""
        cls = value.__class__
        if cls is bool or value is None:
            return value
        if cls is ClassName or cls is Opaque:
            return self._described(value)
        if name and cls is not Instance and cls is not Partial and self.masking.hides_name(name):
            return self.masked()
        render = _RENDERERS.get(cls)
        if render is not None:
            return render(self, value)
        if self.names_only:
            return cls.__name__
        return _SCALARS[cls](self, value)

    def masked(self) -> str:
        self.flags.add("masked")
        return MASK

    def key(self, name: str) -> str:
        """A name as a key: SQLite's JSON functions read one only up to a NUL."""
        return self.text(name).replace("\0", "\ufffd")

    def text(self, text: str) -> str:
        """A text as valid UTF-8, masked."""
        masked = self.masking.mask_text(text)
        if masked is not text and masked != text:
            self.flags.add("masked")
        return masked if masked.isascii() else masked.encode("utf-8", "replace").decode()

    def _described(self, value: Any) -> dict[str, Any]:
        described = {"type": self.text(value.name)}
        if isinstance(value, Opaque):
            described.update({name: self.value(v, name) for name, v in value.attributes.items()})
        else:
            described = {"class": described["type"]}
        return described

    def _model(self, shape: Any, fields: dict[str, Any]) -> dict[str, Any]:
        if self.masking.hides_model(shape.label):
            rendered = {
                name: self.masked() if value.__class__ in (str, bytes, Cut) else self.value(value, name)
                for name, value in fields.items()
            }
        else:
            rendered = {name: self.value(value, name) for name, value in fields.items()}
        keys = [rendered.get(name) for name in shape.pk_attnames]
        return {"model": shape.label, "pk": keys[0] if len(keys) == 1 else keys, "fields": rendered}

    def _instance(self, value: Instance) -> dict[str, Any]:
        return self._model(value.shape, dict(zip(value.shape.attnames, value.values, strict=True)))

    def _partial(self, value: Partial) -> dict[str, Any]:
        return self._model(value.shape, value.fields)

    def _items(self, value: Items) -> list[Any]:
        rendered = [self.value(item) for item in value.items]
        if value.more:
            self.flags.add("truncated")
            rendered.append(f"… {value.more} more")
        return rendered

    def _pairs(self, value: Pairs) -> dict[str, Any]:
        rendered = {}
        for key, item in value.pairs:
            name = key if key.__class__ is str else str(self.value(key))
            rendered[self.key(name)] = self.value(item, name)
        if value.more:
            self.flags.add("truncated")
            rendered["…"] = f"{value.more} more"
        return rendered

    def _dict(self, value: dict[str, Any]) -> dict[str, Any]:
        return {name: self.value(item, name) for name, item in value.items()}

    def _cut(self, value: Cut) -> str:
        self.flags.add("truncated")
        if self.names_only:
            return type(value.head).__name__
        head = value.head if isinstance(value.head, str) else value.head[:64].hex()
        return self.text(head) + "…"

    def _int(self, value: int) -> int | str:
        # Over 63 bits neither SQLite nor a browser holds an int exactly.
        return value if -_MAX_EXACT_INT <= value <= _MAX_EXACT_INT else str(value)

    def _float(self, value: float) -> float | str:
        return value if math.isfinite(value) else str(value)

    def _bytes(self, value: bytes) -> str:
        if len(value) > 64:
            self.flags.add("truncated")
            return f"{value[:64].hex()}…"
        return value.hex()

    def _string(self, value: Any) -> str:
        return str(value)


_RENDERERS: dict[type, Any] = {
    Instance: Renderer._instance,
    Partial: Renderer._partial,
    Items: Renderer._items,
    Pairs: Renderer._pairs,
    Cut: Renderer._cut,
    dict: Renderer._dict,
}
_SCALARS: dict[type, Any] = {
    str: Renderer.text,
    int: Renderer._int,
    float: Renderer._float,
    bytes: Renderer._bytes,
    Decimal: Renderer._string,
    UUID: Renderer._string,
    datetime.date: Renderer._string,
    datetime.datetime: lambda _, value: value.isoformat(),
    datetime.time: Renderer._string,
    datetime.timedelta: Renderer._string,
}


def render(
    frozen: dict[str, Any], masking: Masking, *, names_only: bool, signal: str = ""
) -> tuple[dict[str, Any], set[str]]:
    """What :func:`freeze` kept, as masked JSON-safe data, and flags (``masked``, ``truncated``)."""
    renderer = Renderer(masking, names_only=names_only)
    special = _BY_SIGNAL.get(signal)
    return (special or Renderer.named)(renderer, frozen), renderer.flags


def _login_failed(renderer: Renderer, frozen: dict[str, Any]) -> dict[str, Any]:
    """Django masks only some names of ``credentials``; here only who it was stays."""
    rendered = renderer.named(frozen)
    credentials = frozen.get("credentials")
    if isinstance(credentials, Pairs):
        rendered["credentials"] = {
            name: value if name in ("username", "email") else renderer.masked()
            for name, value in renderer.value(credentials).items()
        }
    return rendered


def _setting_changed(renderer: Renderer, frozen: dict[str, Any]) -> dict[str, Any]:
    """The value is known by the setting's name."""
    rendered = renderer.named(frozen)
    setting = frozen.get("setting")
    if "value" in frozen and setting.__class__ is str:
        rendered["value"] = renderer.value(frozen["value"], setting)
    return rendered


_BY_SIGNAL = {
    "django.contrib.auth.signals.user_login_failed": _login_failed,
    "django.core.signals.setting_changed": _setting_changed,
}
