"""`manage.py check` says what is wrong in LIVESIGNALS, what it exposes, and what to write instead."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, Error, Warning, run_checks  # noqa: A004 - Django's own names
from django.http import HttpRequest
from django.test import override_settings

ROOT = Path(__file__).parents[1]

not_callable = "an attribute, but nobody can call it"


def may_look(request: HttpRequest) -> bool:
    """An ACCESS rule."""
    return False


def mask(name: str, value: str) -> str | None:
    """A MASK_FUNCTION."""
    return None


def messages(settings: Any, *, debug: bool = True) -> list[CheckMessage]:
    """What `manage.py check` says about livesignals."""
    with override_settings(LIVESIGNALS=settings, DEBUG=debug):
        return [message for message in run_checks() if str(message.id).startswith("livesignals.")]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ENABLED": True, "JOURNAL": "memory:", "SIGNALS": ["*"]},
        {"ACCESS": "superuser"},
        {"ACCESS": "token"},
        {"ACCESS": f"{__name__}.may_look"},
        {"MASK_FUNCTION": f"{__name__}.mask"},
    ],
)
@pytest.mark.parametrize("debug", [True, False])
def test_good_settings_are_met_with_silence(settings: dict[str, Any], debug: bool) -> None:
    """With DEBUG and without."""
    assert messages(settings, debug=debug) == []


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"ENABLE": True}, "'ENABLE'", "'ENABLED'"),
        ({"RETAIN_EVENTS": "many"}, "'RETAIN_EVENTS'", "100000"),
        ({"RETAIN_EVENTS": 0}, "RETAIN_EVENTS", "README"),
        ({"COUNT": "post_init"}, "'COUNT'", "['pre_init', 'post_init']"),
        ({"FLOOD": 0.5}, "'FLOOD'", "1000"),
        ({"FLOOD": 0}, "None to keep every send", "README"),
        ({"VALUES": "all"}, "'VALUES'", "'masked' or 'names'"),
        ({"JOURNAL": "mongodb://localhost"}, "sqlite:///", "README"),
        ("on", "str", "LIVESIGNALS = {"),
    ],
)
def test_a_setting_that_is_wrong_is_e001(settings: Any, message: str, hint: str) -> None:
    """With a message that names it and a hint that says what is right."""
    [found] = messages(settings)
    assert isinstance(found, Error)
    assert found.id == "livesignals.E001"
    assert message in found.msg
    assert hint in str(found.hint)


def test_a_journal_in_the_environment_that_is_wrong_is_e001(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named as what it is: no setting."""
    monkeypatch.setenv("LIVESIGNALS_JOURNAL", "/srv/journal.sqlite3")
    [found] = messages({})
    assert found.id == "livesignals.E001"
    assert "LIVESIGNALS_JOURNAL" in found.msg
    assert "sqlite:///" in str(found.hint)


@pytest.mark.parametrize(
    "access",
    ["superusers", "tests.no_such_module.may_look", f"{__name__}.nobody", f"{__name__}.not_callable", ""],
)
def test_an_access_rule_that_cannot_be_asked_is_e002(access: str) -> None:
    """It is not there, or there and not callable."""
    [found] = messages({"ACCESS": access})
    assert isinstance(found, Error)
    assert found.id == "livesignals.E002"
    assert "ACCESS" in found.msg
    assert "callable(request) -> bool" in str(found.hint)


@pytest.mark.parametrize(
    "function", ["tests.no_such_module.mask", f"{__name__}.nobody", f"{__name__}.not_callable", ""]
)
def test_a_mask_function_that_cannot_be_called_is_e003(function: str) -> None:
    """It is not there, or there and not callable; the hint says what becomes of the values."""
    [found] = messages({"MASK_FUNCTION": function})
    assert isinstance(found, Error)
    assert found.id == "livesignals.E003"
    assert "MASK_FUNCTION" in found.msg
    assert "callable(name: str, value: str)" in str(found.hint)
    assert "all values are masked" in str(found.hint)


def test_values_shown_without_debug_are_w001() -> None:
    """Whoever has access may then see customers' data; the hint says how to show names only."""
    shown = {"ENABLED": True, "VALUES": "masked"}
    [found] = messages(shown, debug=False)
    assert isinstance(found, Warning)
    assert found.id == "livesignals.W001"
    assert "LIVESIGNALS['VALUES'] = 'names'" in str(found.hint)
    assert messages(shown, debug=True) == []
    assert messages({**shown, "VALUES": "names"}, debug=False) == []
    assert messages({**shown, "ENABLED": False}, debug=False) == []


MISSPELT = """
from project.settings import *
LIVESIGNALS = {"ENABELD": True}
"""


def test_a_project_with_a_wrong_setting_says_so_and_runs_on(tmp_path: Path) -> None:
    """`check` fails with the hint; what needs no checks, such as a shell, works as if livesignals were off."""
    (tmp_path / "misspelt.py").write_text(MISSPELT)
    checked = manage(tmp_path, "check")
    assert checked.returncode == 1
    assert "(livesignals.E001) LIVESIGNALS has no setting 'ENABELD'." in checked.stderr
    assert "HINT: Did you mean 'ENABLED'?" in checked.stderr
    assert "Traceback" not in checked.stderr
    shell = manage(tmp_path, "shell", "-c", "from project.shop.models import Tag; print(Tag._meta.label)")
    assert (shell.returncode, shell.stdout.splitlines()[-1]) == (0, "shop.Tag")


def manage(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the shop under the settings module `misspelt` in *folder*."""
    return subprocess.run(
        [sys.executable, ROOT / "project" / "manage.py", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", "DJANGO_SETTINGS_MODULE": "misspelt"},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
