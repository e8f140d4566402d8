"""Other projects' test suites, run plainly and with capture side by side.

A suite comes from its source distribution, which pip downloads by the hash in its requirements file, and is kept in
``.venvs/suites``. Both runs have a copy of their own, for some tests write beside their files.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / ".venvs" / "suites"
INSIDE = Path(__file__).parent / "inside"
MODES = ("plain", "captured")


class Suite(NamedTuple):
    """A suite that can be run."""

    name: str  # "django-6.1.3"
    locked: Path  # the requirements file with its hash
    folder: str  # where it is run, below its source distribution
    command: tuple[str, ...]  # what follows the interpreter; modules may be named after it
    module: str  # regular expression: what names the module in a test's id


class Run(NamedTuple):
    """How a run of a suite went."""

    tests: int
    outcomes: dict[str, list[str]]  # of tests that did not just pass, by id
    told: dict[str, Any]  # see inside/capturing.py
    printed: str

    @property
    def failed(self) -> set[str]:
        """ids of the tests that failed."""
        return {name for name, kinds in self.outcomes.items() if not {"skipped", "expectedFailures"}.issuperset(kinds)}


class Comparison(NamedTuple):
    """A plain run and one with capture."""

    plain: Run
    captured: Run

    @property
    def differing(self) -> list[str]:
        """ids of the tests whose outcomes differ."""
        plain, captured = self.plain.outcomes, self.captured.outcomes
        return sorted(name for name in plain.keys() | captured.keys() if plain.get(name) != captured.get(name))

    @property
    def faults(self) -> list[str]:
        """What capture did wrong by its own account, and whether it was there at all."""
        told = self.captured.told
        faults = list(told["logged"])
        if self.plain.tests != self.captured.tests:
            faults.append(f"{self.plain.tests} tests were run plainly, {self.captured.tests} with capture")
        if not told["stored"]:
            faults.append("nothing was captured")
        lost = {reason: count for reason, count in told["dropped"].items() if reason != "buffer full"}
        if lost or told["captured"] != told["stored"] + sum(told["dropped"].values()):
            faults.append(f"captured {told['captured']}, stored {told['stored']}, dropped {told['dropped']}")
        return faults


def compare(suite: Suite, modules: Sequence[str] = (), *, timeout: float) -> Comparison:
    """Run *modules* of *suite*, all when none is named, both ways at once.

    Raises CalledProcessError when the source cannot be had, TimeoutExpired after *timeout* seconds, RuntimeError when
    a run ended before its tests did.
    """
    source = _source(suite)
    with TemporaryDirectory(prefix="livesignals-suite-") as folder:
        processes = {mode: _start(suite, modules, source / mode, Path(folder), mode) for mode in MODES}
        try:
            for process in processes.values():
                process.wait(timeout)
        finally:
            for process in processes.values():
                process.kill()
        return Comparison(*(_read(Path(folder), mode) for mode in MODES))


def _start(suite: Suite, modules: Sequence[str], source: Path, folder: Path, mode: str) -> "subprocess.Popen[bytes]":
    ours = ("DJANGO_", "LIVESIGNALS_", "PYTEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {
        "PYTHONPATH": os.pathsep.join((str(INSIDE), str(ROOT))),
        "SUITE_CAPTURE": str(int(mode == "captured")),
        "SUITE_OUTCOMES": str(folder / f"{mode}.json"),
    }
    with (folder / f"{mode}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, *suite.command, *modules],
            cwd=source / suite.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _read(folder: Path, mode: str) -> Run:
    printed = (folder / f"{mode}.log").read_text(errors="replace")
    try:
        told = json.loads((folder / f"{mode}.json").read_text())
    except FileNotFoundError:
        raise RuntimeError(f"The {mode} run ended before its tests did:\n{printed[-4_000:]}") from None
    # The parameters of a subtest may hold the address of an object.
    outcomes = {re.sub(r"0x[0-9a-f]+", "0x", name): kinds for name, kinds in told["outcomes"].items()}
    return Run(told["run"], outcomes, told, printed)


def _source(suite: Suite) -> Path:
    """The folder that has a copy for each mode; downloaded when there is none."""
    folder = SOURCES / suite.name
    SOURCES.mkdir(parents=True, exist_ok=True)
    with (SOURCES / f"{suite.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several Pythons may want the same suite
        if not folder.exists():
            with TemporaryDirectory(dir=SOURCES) as made:
                pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "download", "--no-input"]
                options = ["--no-binary", ":all:", "--no-deps", "--require-hashes", "-r", str(suite.locked), "-d", made]
                subprocess.run([*pip, *options], check=True, stderr=subprocess.PIPE, text=True)
                (archive,) = Path(made).glob("*.tar.gz")
                for mode in MODES:
                    shutil.unpack_archive(archive, Path(made) / "unpacked", filter="data")
                    (unpacked,) = (Path(made) / "unpacked").iterdir()
                    unpacked.rename(Path(made) / mode)
                archive.unlink()
                (Path(made) / "unpacked").rmdir()
                shutil.copytree(made, folder)
    return folder
