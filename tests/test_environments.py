"""The virtual environments that `make` keeps in .venvs/, with interpreters and a pip that do nothing."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / ".ci" / "venv"
INTERPRETER = """#!/bin/sh
case "$1 $2" in
    -c*) echo "$0" ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
esac
"""


class Checkout:
    """A checkout with the script alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".ci").mkdir()
        shutil.copy(SCRIPT, folder / ".ci" / "venv")
        self.require("one")

    def require(self, requirements: str) -> None:
        (self.folder / "requirements.txt").write_text(requirements)

    def interpreter(self, name: str) -> Path:
        path = self.folder / name
        path.write_text(INTERPRETER)
        path.chmod(0o755)
        return path

    def environment(self, python: Path) -> Path:
        """The one that a `make` with this interpreter gets."""
        made = subprocess.run(
            [self.folder / ".ci" / "venv", "tests", "requirements.txt"],
            env={**os.environ, "PYTHON": str(python)},
            text=True,
            capture_output=True,
            check=True,
        )
        path = Path(made.stdout.strip())
        assert (path / "bin" / "python").exists()
        return path


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def let_rest(environment: Path) -> None:
    """It was used for the last time eight days ago."""
    then = time.time() - 8 * 24 * 3600
    os.utime(environment / "ready", (then, then))


def test_one_that_another_interpreter_s_make_uses_stays(checkout: Checkout) -> None:
    """Each has its own, and finds it again."""
    one, other = checkout.interpreter("python-one"), checkout.interpreter("python-other")
    first, second = checkout.environment(one), checkout.environment(other)
    assert first != second
    assert first.exists()
    assert (checkout.environment(one), checkout.environment(other)) == (first, second)


def test_what_was_not_used_for_a_week_is_deleted_with_the_next_one(checkout: Checkout) -> None:
    """And what was never finished; one that is used again has its week again."""
    python = checkout.interpreter("python")
    old = checkout.environment(python)
    checkout.require("two")
    used = checkout.environment(python)
    unfinished = checkout.environment(checkout.interpreter("python-of-before"))
    (unfinished / "ready").unlink()
    let_rest(old)
    let_rest(used)
    assert checkout.environment(python) == used
    checkout.require("three")
    checkout.environment(python)
    assert [path.exists() for path in (old, used, unfinished)] == [False, True, False]
