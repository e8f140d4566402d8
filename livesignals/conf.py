"""The one settings dict, ``LIVESIGNALS``: names, types, defaults and meanings.

Read lazily, every time it is asked for, so that ``override_settings`` works.
"""

import difflib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from livesignals.exceptions import ConfigurationError

ENVIRONMENT_JOURNAL = "LIVESIGNALS_JOURNAL"
LEAST_RETAIN_BYTES = 65_536
#: Of journals that many hosts share.
REDIS_SCHEMES = (
    *("redis://", "rediss://", "unix://"),
    *("redis+sentinel://", "rediss+sentinel://", "redis+cluster://", "rediss+cluster://"),
)
_FILE = "sqlite:///"
JOURNAL_SCHEMES = (_FILE, "memory:", *REDIS_SCHEMES)

#: What EDITOR may name, and the URL that opens a place there.
EDITORS = {
    "vscode": "vscode://file/{path}:{line}",
    "vscodium": "vscodium://file/{path}:{line}",
    "cursor": "cursor://file/{path}:{line}",
    "zed": "zed://file/{path}:{line}",
    "pycharm": "pycharm://open?file={path}&line={line}",
    "idea": "idea://open?file={path}&line={line}",
    "sublime": "subl://open?url=file://{path}&line={line}",
    "textmate": "txmt://open?url=file://{path}&line={line}",
    "macvim": "mvim://open?url=file://{path}&line={line}",
    "emacs": "emacs://open?url=file://{path}&line={line}",
}
#: A link of these would leave the page or act in it, instead of opening an editor.
_NO_EDITORS = frozenset(
    ("http", "https", "ws", "wss", "ftp", "file", "javascript", "vbscript", "data", "blob", "about", "view-source")
)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="upper"):
    """``LIVESIGNALS`` as given. What was left out has the default; None means "decided by DEBUG" or "found out"."""

    enabled: bool | None = None  # capture and dashboard on; None: as DEBUG
    journal: str | None = None  # sqlite:///path, redis://… or memory:; None: .livesignals/ in the project's root
    retain_events: int = 100_000  # newest events kept
    retain_bytes: int = 268_435_456  # bytes of them kept, whichever ends first
    signals: list[str] = []  # globs of dotted names; "-" in front leaves out
    count: list[str] = []  # globs of signals that are counted instead of kept; "-" in front leaves out
    sample: dict[str, int] = {}  # by glob: one send in so many is kept, the others are counted; 1: kept in any case
    flood: int | dict[str, int] | None = None  # sends a second of a signal and sender that are kept; also by glob
    values: Literal["masked", "names"] | None = None  # None: masked with DEBUG, else names
    mask: list[str] = []  # more names whose values are secret
    mask_function: str | None = None  # dotted path to a callable(name: str, value: str) -> str | None
    access: str | None = None  # "superuser", "token" or a dotted path to a callable(request) -> bool
    capture: Literal["attach", "connect"] = "attach"  # connect: Django makes even the sends it would skip
    templates: bool | None = None  # template_rendered is sent outside tests too; None: as DEBUG
    editor: str | None = None  # one of EDITORS, or a URL template with {path} and {line}; None: no links

    def __post_init__(self) -> None:
        if self.retain_events < 1:
            raise ValueError("RETAIN_EVENTS must be 1 or more")
        if self.retain_bytes < LEAST_RETAIN_BYTES:
            raise ValueError(f"RETAIN_BYTES must be {LEAST_RETAIN_BYTES} or more")
        ceilings = self.flood.values() if isinstance(self.flood, dict) else () if self.flood is None else (self.flood,)
        if any(ceiling < 1 for ceiling in ceilings):
            raise ValueError("FLOOD must be 1 or more, or None to keep every send; COUNT keeps none")
        if any(n < 1 for n in self.sample.values()):
            raise ValueError("SAMPLE must say 1 or more: one send in so many is kept; COUNT keeps none")
        if self.journal is not None and not self.journal.startswith(JOURNAL_SCHEMES):
            raise ValueError(f"JOURNAL must begin with one of {', '.join(JOURNAL_SCHEMES)}")
        if self.editor is not None and not _opens_an_editor(self.editor):
            raise ValueError(
                f"EDITOR must be one of {', '.join(EDITORS)}, or a URL of an editor's own with {{path}} in it"
            )


def read() -> Settings:
    """The settings in force.

    Raises :class:`ConfigurationError` for a key that does not exist or a value of the wrong type.
    """
    raw = getattr(django_settings, "LIVESIGNALS", {})
    if not isinstance(raw, Mapping):
        raise ConfigurationError(
            f"LIVESIGNALS must be a dict, not {type(raw).__name__}.",
            "Write LIVESIGNALS = {…} in the settings.",
        )
    _refuse_unknown(raw)
    try:
        return msgspec.convert(dict(raw), Settings)
    except ValueError as error:
        raise _explained(error) from None


def is_enabled(settings: Settings) -> bool:
    """Whether capture and dashboard are on."""
    return bool(django_settings.DEBUG) if settings.enabled is None else settings.enabled


def shows_values(settings: Settings) -> bool:
    """Whether values are recorded (masked); otherwise names and types only."""
    return (settings.values or ("masked" if django_settings.DEBUG else "names")) == "masked"


def instruments_templates(settings: Settings) -> bool:
    """Whether ``template_rendered`` is sent outside of tests."""
    return bool(django_settings.DEBUG) if settings.templates is None else settings.templates


def journal_url(settings: Settings) -> str:
    """Where the journal is. The environment wins over the settings; a path is absolute, or begins with a ``~``.

    A relative one is below the project's root, as the journal is by default: so commands find it that run elsewhere.

    Raises :class:`ConfigurationError` when the environment names none.
    """
    url = os.environ.get(ENVIRONMENT_JOURNAL)
    if url and not url.startswith(JOURNAL_SCHEMES):
        raise ConfigurationError(
            f"{ENVIRONMENT_JOURNAL} in the environment must begin with one of {', '.join(JOURNAL_SCHEMES)}.",
            "A URL such as sqlite:////var/lib/app/journal.sqlite3 (four slashes for an absolute path),"
            " redis://host:6379/0 or memory:.",
        )
    url = url or settings.journal or f"{_FILE}{project_folder() / 'journal.sqlite3'}"
    path = url.removeprefix(_FILE)
    return url if path == url or path.startswith("~") or not path else f"{_FILE}{project_root() / path}"


def project_root() -> Path:
    """The folder that holds the top-level package of the settings module; the working directory without one."""
    module = os.environ.get("DJANGO_SETTINGS_MODULE") or getattr(django_settings, "SETTINGS_MODULE", None)
    loaded = sys.modules.get(module) if module else None
    filename = getattr(loaded, "__file__", None)
    if module is None or filename is None:
        return Path.cwd()
    path = Path(filename).resolve()
    depth = module.count(".") + (path.name == "__init__.py")
    return path.parents[depth]


def project_folder() -> Path:
    """Where the project's journal, recordings and search index are, unless a setting says otherwise."""
    return project_root() / ".livesignals"


def project_identity(url: str) -> str:
    """What tells projects apart that share the journal at a URL by mistake.

    A file's are told apart by their folders. The hosts that share a Redis may have the project in different ones, but
    they have the same URLs and SECRET_KEY; many projects call their URLs ``config.urls``.
    """
    if not url.startswith(REDIS_SCHEMES):
        return str(project_root())
    from django.utils.crypto import salted_hmac  # only the flusher and servers wait for it

    urls = str(getattr(django_settings, "ROOT_URLCONF", ""))
    try:
        secret = django_settings.SECRET_KEY
    except ImproperlyConfigured:
        secret = ""
    return f"{urls} {salted_hmac('livesignals.journal', urls, secret, algorithm='sha256').hexdigest()[:16]}"


def _opens_an_editor(editor: str) -> bool:
    scheme = re.match(r"([a-z][a-z0-9+.-]*):", editor)
    return editor in EDITORS or (scheme is not None and scheme[1] not in _NO_EDITORS and "{path}" in editor)


def _refuse_unknown(raw: Mapping[Any, Any]) -> None:
    known = [field.encode_name for field in msgspec.structs.fields(Settings)]
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(str(key).upper(), known, n=1)
            raise ConfigurationError(
                f"LIVESIGNALS has no setting {key!r}.",
                f"Did you mean {near[0]!r}?" if near else f"The settings are {', '.join(known)}.",
            )


def _explained(error: ValueError) -> ConfigurationError:
    """msgspec's "Expected `int`, got `str` - at `$.RETAIN_EVENTS`" in words of Django settings."""
    found = re.fullmatch(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", str(error), re.DOTALL)
    what, path = (found["what"], found["path"]) if found else (str(error), None)
    if path:
        key = path.split("[")[0]
        return ConfigurationError(f"LIVESIGNALS[{key!r}] has a wrong value: {what}.", _type_hint(key))
    return ConfigurationError(f"LIVESIGNALS: {what}.", "See the README's table of settings.")


def _type_hint(key: str) -> str:
    examples = {
        "ENABLED": "True or False.",
        "JOURNAL": "A string such as 'sqlite:////var/lib/app/journal.sqlite3', 'redis://host:6379/0' or 'memory:'.",
        "RETAIN_EVENTS": "A whole number such as 100000.",
        "RETAIN_BYTES": "A whole number of bytes such as 268435456.",
        "SIGNALS": "A list of globs such as ['*', '-django.core.signals.*'].",
        "COUNT": "A list of globs such as ['pre_init', 'post_init'].",
        "SAMPLE": "A dict from globs to whole numbers such as {'post_save': 100}.",
        "FLOOD": "A whole number of sends a second such as 1000, a dict such as {'post_save': 100}, or None.",
        "VALUES": "'masked' or 'names'.",
        "MASK": "A list of names such as ['iban'].",
        "MASK_FUNCTION": "A dotted path to a callable(name: str, value: str) -> str | None.",
        "ACCESS": "'superuser', 'token' or a dotted path to a callable.",
        "CAPTURE": "'attach' or 'connect'.",
        "TEMPLATES": "True or False.",
        "EDITOR": "A name such as 'vscode', or a URL such as 'vscode://file/{path}:{line}'.",
    }
    return examples.get(key, "See the README's table of settings.")
