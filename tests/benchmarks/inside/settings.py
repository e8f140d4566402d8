"""The shop's settings with the recorder that ``BENCH_SUBJECT`` names, its files in ``BENCH_FOLDER``.

``DEBUG`` is off, as where requests are counted. Each recorder keeps all that it can keep of signals; what else it
would record is off where it can be turned off. Each is set up as its own documentation says.
"""

import os
from pathlib import Path
from typing import Any

SUBJECT = os.environ["BENCH_SUBJECT"]
FOLDER = Path(os.environ["BENCH_FOLDER"])
os.environ |= {"SHOP_DEBUG": "0", "SHOP_DATABASE": str(FOLDER / "shop.sqlite3")}

from project import settings as shop  # noqa: E402
from project.settings import *  # noqa: E402, F403 - the shop's settings are the point

ROOT_URLCONF = "tests.benchmarks.inside.urls"
INSTALLED_APPS = [app for app in shop.INSTALLED_APPS if app != "livesignals"]
MIDDLEWARE = shop.MIDDLEWARE
JOURNAL = os.environ.get("BENCH_JOURNAL") or f"sqlite:///{FOLDER / 'journal.sqlite3'}"
LIVESIGNALS = {"ENABLED": True, "VALUES": "masked", "JOURNAL": JOURNAL}

# Waiting for the disk would make everything look alike.
_default = dict[str, Any](shop.DATABASES["default"])
_default["CONN_MAX_AGE"] = None
_default["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"
DATABASES = {"default": _default}

ORBIT: dict[str, Any] = {}
TELESCOPE: dict[str, Any] = {}

match SUBJECT:
    case "plain":
        pass
    case "tables":  # of them all, made before anything is recorded: django-orbit fails its own first migration
        INSTALLED_APPS = [*INSTALLED_APPS, "orbit", "telescope"]
        ORBIT = {"ENABLED": False}
        TELESCOPE = {"ENABLED": False}
    case "livesignals":
        INSTALLED_APPS = shop.INSTALLED_APPS
    case "switched off":
        INSTALLED_APPS = shop.INSTALLED_APPS
        LIVESIGNALS["SIGNALS"] = ["-*"]
    case "sentry-sdk":
        from tests.benchmarks.inside import spans

        spans.start()
    case "django-orbit":
        INSTALLED_APPS = [*INSTALLED_APPS, "orbit"]
        MIDDLEWARE = ["orbit.middleware.OrbitMiddleware", *MIDDLEWARE]
        _OTHERS = """
            REQUESTS QUERIES LOGS EXCEPTIONS COMMANDS CACHE MODELS HTTP_CLIENT DUMPS MAIL JOBS REDIS GATES TRANSACTIONS
            STORAGE LLM
        """
        ORBIT = {f"RECORD_{name}": False for name in _OTHERS.split()} | {
            "RECORD_SIGNALS": True,
            "IGNORE_SIGNALS": [],
            "STORAGE_LIMIT": 100_000,  # as livesignals; it would keep 1,000
        }
    case "django-scope":
        INSTALLED_APPS = ["daphne", *INSTALLED_APPS, "telescope"]
        MIDDLEWARE = ["telescope.middleware.TelescopeMiddleware", *MIDDLEWARE]
        CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
        # It leaves Django's own signals to ModelWatcher, which connects to three of them.
        _OTHERS = "Request Query Exception Log Cache Mail View Command Dump Gate Notification"
        TELESCOPE = {"WATCHERS": {f"{name}Watcher": {"enabled": False} for name in _OTHERS.split()}}
    case _:
        raise ValueError(f"there is no recorder {SUBJECT!r}")
