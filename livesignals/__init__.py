"""livesignals: every Django signal send, live in a browser.

Importing this package imports no models, reads no settings and attaches nothing;
that is the work of :mod:`livesignals.apps`, when Django loads the app.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livesignals.capture.recording import recording
    from livesignals.capture.sends import record
    from livesignals.dashboard.asgi import mount

__version__ = "0.1.0"
__all__ = ["mount", "record", "recording"]

_HOMES = {
    "mount": "livesignals.dashboard.asgi",
    "record": "livesignals.capture.sends",
    "recording": "livesignals.capture.recording",
}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
