"""Second step, on the flusher's thread: frozen values to masked data that msgspec writes as JSON.

The shapes that come out: plain scalars (dates, times, decimals and UUIDs are among them: they are written as text);
``{"model", "pk", "fields"}`` for a model instance; ``{"type", …}`` for what is told by its class only; lists and dicts;
text that was cut ends with "…"; a masked value is "••••••".
"""

import datetime
import math
import re
from decimal import Decimal
from typing import Any
from uuid import UUID

from livesignals.snapshot.freeze import ClassName, Cut, Instance, Items, Left, Opaque, Pairs, Partial
from livesignals.snapshot.masking import MASK, Masking
from livesignals.snapshot.types import Shape

MAX_KEY_CHARS = 128
MAX_HEX_BYTES = 64
_MAX_EXACT_INT = 2**63 - 1
_LAST_RUN = re.compile(r"\S{1,256}\Z")


class Renderer:
    """Makes JSON-safe data of one send's frozen values and remembers what had to be left out."""

    __slots__ = ("flags", "masking", "names_only")

    def __init__(self, masking: Masking, *, names_only: bool) -> None:
        self.masking = masking
        self.names_only = names_only
        self.flags: set[str] = set()

    def named(self, frozen: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments of a send, or some keys of a dict."""
        masking, rendered = self.masking, {}
        clean, shows_flags = masking.clean, not (self.names_only or masking.is_blind)
        for name, value in frozen.items():
            key = name if name in clean else self.key(name)
            if value is None or ((value is True or value is False) and shows_flags):
                rendered[key] = value
            else:
                rendered[key] = self.value(value, name)
        return rendered

    def value(self, value: Any, name: str = "") -> Any:
        """One value that is known by *name*."""
        if value is None:
            return None
        cls = value.__class__
        if cls is bool:
            return self.masked() if self.masking.is_blind else "bool" if self.names_only else value
        render = _STRUCTURES.get(cls)
        if render is not None and cls not in _NESTED:
            return render(self, value, name)
        if self.masking.is_blind or (name and self.masking.hides_name(name)):
            return self.masked()
        if render is not None:
            return render(self, value, name)
        if self.names_only:
            return cls.__name__
        return _SCALARS[cls](self, value, name)

    def masked(self) -> str:
        self.flags.add("masked")
        return MASK

    def key(self, name: str) -> str:
        """A name as a key: SQLite's JSON functions read one only up to a NUL."""
        masking = self.masking
        if name in masking.clean:
            return name
        if len(name) > MAX_KEY_CHARS:
            self.flags.add("truncated")
            name = name[:MAX_KEY_CHARS] + "…"
        masked = masking.mask_text(name)
        if masked == name and name.isascii() and "\0" not in name:
            masking.found_clean(name)
            return name
        return self._valid(masked, name).replace("\0", "\ufffd")

    def text(self, text: str, name: str = "") -> str:
        """A value's text as valid UTF-8, masked."""
        masking = self.masking
        if text in masking.clean:
            return text
        masked = masking.mask_value(name, text)
        if masked == text and text.isascii() and "\0" not in text:
            masking.found_clean(text)
            return text
        return self._valid(masked, text)

    def _valid(self, masked: str, text: str) -> str:
        if masked is not text and masked != text:
            self.flags.add("masked")
        return valid_text(masked)

    def _class(self, value: ClassName, name: str) -> dict[str, Any]:
        return {"class": value.name}

    def _opaque(self, value: Opaque, name: str) -> dict[str, Any]:
        return {"type": value.name, **self.named(value.attributes)}

    def _left(self, value: Left, name: str) -> dict[str, Any]:
        self.flags.add("truncated")
        return {"type": value.name}

    def fields(self, shape: Shape, fields: dict[str, Any]) -> dict[str, Any]:
        """Values of some fields of a model."""
        if self.masking.hides_model(shape.label):
            return {
                name: self.value(value, name) if value.__class__ in _HARMLESS else self.masked()
                for name, value in fields.items()
            }
        return {name: self.value(value, name) for name, value in fields.items()}

    def _model(self, shape: Shape, rendered: dict[str, Any]) -> dict[str, Any]:
        if len(shape.pk_attnames) == 1:
            return {"model": shape.label, "pk": rendered.get(shape.pk_attnames[0]), "fields": rendered}
        return {"model": shape.label, "pk": [rendered.get(name) for name in shape.pk_attnames], "fields": rendered}

    def _instance(self, value: Instance, name: str) -> dict[str, Any]:
        """As :meth:`_partial`, but only what may have to be changed is looked at."""
        shape, masking = value.shape, self.masking
        rendered = dict(zip(shape.attnames, value.values, strict=True))
        if self.names_only or masking.is_blind or masking.hides_model(shape.label):
            return self._partial(Partial(shape, rendered, 0), name)
        for attname in masking.hidden_of(shape.attnames):
            hidden = rendered[attname]
            if hidden is not None and type(hidden) is not bool:
                rendered[attname] = self.masked()
        clean = masking.clean
        for attname in value.texts:
            text = rendered[attname]
            if text not in clean and text is not MASK:
                rendered[attname] = self.text(text, attname)
        return self._model(shape, rendered)

    def _partial(self, value: Partial, name: str) -> dict[str, Any]:
        rendered = self.fields(value.shape, value.fields)
        if value.more:
            self._leave_out(value.more, rendered)
        return self._model(value.shape, rendered)

    def _items(self, value: Items, name: str) -> list[Any]:
        items = value.items
        if len(items) == 2 and not value.more and items[0].__class__ in (str, bytes):
            # ("Authorization", "…"): the headers of a request are such pairs.
            known_by = items[0] if isinstance(items[0], str) else items[0].decode("latin-1")
            rendered = [self.value(items[0]), self.value(items[1], known_by)]
        else:
            rendered = [self.value(item) for item in items]
        if value.more:
            self.flags.add("truncated")
            rendered.append(f"… {value.more} more")
        return rendered

    def _pairs(self, value: Pairs, name: str) -> dict[str, Any]:
        rendered = {}
        for key, item in value.pairs:
            if key.__class__ is str:
                # With names only a key is shown if it is a name: it may as well be a customer's address.
                shown = "str" if self.names_only and not key.isidentifier() else key
                rendered[self.key(shown)] = self.value(item, key)
            else:
                known_by = key.decode("latin-1") if key.__class__ is bytes else ""
                rendered[self.key(str(self.value(key)))] = self.value(item, known_by)
        if value.more:
            self._leave_out(value.more, rendered)
        return rendered

    def _leave_out(self, count: int, rendered: dict[str, Any]) -> None:
        self.flags.add("truncated")
        rendered["…"] = f"{count} more"

    def _dict(self, value: dict[str, Any], name: str) -> dict[str, Any]:
        return self.named(value)

    def _cut(self, value: Cut, name: str) -> str:
        self.flags.add("truncated")
        if self.names_only:
            return type(value.head).__name__
        head = value.head if isinstance(value.head, str) else self._readable(value.head)
        return self.text(without_last_run(head), name) + "…"

    def _int(self, value: int, name: str) -> int | str:
        # Over 63 bits neither SQLite nor a browser holds an int exactly.
        return value if -_MAX_EXACT_INT <= value <= _MAX_EXACT_INT else str(value)

    def _float(self, value: float, name: str) -> float | str:
        return value if math.isfinite(value) else str(value)

    def _bytes(self, value: bytes, name: str) -> str:
        return self.text(self._readable(value), name)

    def _readable(self, value: bytes) -> str:
        """Bytes as the text that they are, else their beginning in hex."""
        text = value.decode("latin-1")
        if text.isascii() and text.isprintable():
            return text
        if len(value) > MAX_HEX_BYTES:
            self.flags.add("truncated")
        return value[:MAX_HEX_BYTES].hex()

    def _as_it_is(self, value: Any, name: str) -> Any:
        """What msgspec writes by itself."""
        return value

    def _string(self, value: Any, name: str) -> str:
        return str(value)


def valid_text(text: str) -> str:
    """The text as valid UTF-8: lone surrogates are replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def without_last_run(text: str) -> str:
    """What is left of a text that was cut when its end is taken off: it may be the beginning of a secret."""
    return _LAST_RUN.sub("", text)


_STRUCTURES: dict[type, Any] = {
    ClassName: Renderer._class,
    Opaque: Renderer._opaque,
    Left: Renderer._left,
    Instance: Renderer._instance,
    Partial: Renderer._partial,
    Items: Renderer._items,
    Pairs: Renderer._pairs,
    Cut: Renderer._cut,
    dict: Renderer._dict,
}
#: Those that a secret name hides as a whole; of the others only their fields can be secret.
_NESTED = frozenset({Items, Pairs, Cut, dict})
_SCALARS: dict[type, Any] = {
    str: Renderer.text,
    int: Renderer._int,
    float: Renderer._float,
    bytes: Renderer._bytes,
    Decimal: Renderer._as_it_is,
    UUID: Renderer._as_it_is,
    datetime.date: Renderer._as_it_is,
    datetime.datetime: Renderer._as_it_is,
    datetime.time: Renderer._as_it_is,
    datetime.timedelta: Renderer._string,
}
#: What is shown of the instances of a model that is secret itself, such as sessions and tokens.
_HARMLESS = frozenset(
    {type(None), bool, int, float, datetime.date, datetime.datetime, datetime.time, datetime.timedelta, Opaque, Left}
)


def render(
    frozen: dict[str, Any], masking: Masking, *, names_only: bool, signal: str = ""
) -> tuple[dict[str, Any], set[str]]:
    """What :func:`freeze` kept, as masked JSON-safe data, and flags (``masked``, ``truncated``).

    Raises :class:`MaskFunctionFailed` when the project's own masking function does.
    """
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
    setting = frozen.get("setting")
    known_by = setting if setting.__class__ is str else "value"
    return {
        renderer.key(name): renderer.value(value, known_by if name == "value" else name)
        for name, value in frozen.items()
    }


def _m2m_changed(renderer: Renderer, frozen: dict[str, Any]) -> dict[str, Any]:
    """The keys in ``pk_set`` are those of ``model``."""
    rendered = renderer.named(frozen)
    model = frozen.get("model")
    if isinstance(model, ClassName) and renderer.masking.hides_model(model.name) and frozen.get("pk_set") is not None:
        rendered["pk_set"] = renderer.masked()
    return rendered


_BY_SIGNAL = {
    "django.contrib.auth.signals.user_login_failed": _login_failed,
    "django.core.signals.setting_changed": _setting_changed,
    "django.db.models.signals.m2m_changed": _m2m_changed,
}
