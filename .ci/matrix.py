"""Runs the tests on every pair of Python and Django whose interpreter is present, and prints a table.

What a pair runs is quick: all but the browser, the wheel and what the versions cannot change; what hangs on Python
alone runs with the newest Django of each. The test of all signals in a browser runs on one pair with Django 6.1 as
well, for Django has tasks from 6.0 on. Of each Django one pair, that with the newest Python, runs the part of Django's
own suite that may feel capture, with capture and without.
"""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".venvs" / "matrix"
EVERY_SIGNAL = Path("tests/browser/test_every_signal.py")

#: What each Python runs, as Django's own release notes have it.
DJANGOS = {"3.11": ("5.2",), "3.12": ("5.2", "6.0", "6.1"), "3.13": ("5.2", "6.0", "6.1")}
#: The pair whose browser test runs too: not the one that `make test` prefers.
BROWSER_DJANGO, BROWSER_PYTHONS = "6.1", ("3.12", "3.13")

#: What hangs on neither version and takes long; `make test` has run it.
ONCE = (
    "tests/browser",
    "tests/contracts",
    "tests/dashboard/test_asgi_servers.py",
    "tests/dashboard/test_hostile_commands.py",
    "tests/dashboard/test_takeaway.py",
    "tests/exchange",
    "tests/faults",
    "tests/filters",
    "tests/insights",
    "tests/journal",
    "tests/management",
    "tests/project/test_compose.py",
    "tests/project/test_traffic.py",
    "tests/servers/test_celery.py",
    "tests/servers/test_gunicorn.py",
    "tests/snapshot/test_canaries.py",
    "tests/snapshot/test_hostile.py",
    "tests/suites",
    "tests/test_environments.py",
    "tests/test_wheel.py",
    "tests/transport/test_completing.py",
    "tests/transport/test_faceting.py",
    "tests/transport/test_listening.py",
    "tests/transport/test_player.py",
    "tests/transport/test_replay.py",
    "tests/transport/test_schedules.py",
    "tests/transport/test_searching.py",
)

#: What hangs on Python alone, its threads, forks and ends.
OF_PYTHON = ("tests/snapshot", "tests/transport")


class Pair(NamedTuple):
    """One Python with one Django."""

    python: str
    django: str
    interpreter: str  # path
    of_python: bool
    browser: bool
    suite: bool  # of Django itself, its part


class Outcome(NamedTuple):
    """What came of one pair."""

    pair: Pair
    passed: bool
    words: str  # pytest's last lines
    log: Path


def present() -> dict[str, str]:
    """Paths of the interpreters on this machine, by version."""
    lines = subprocess.run([ROOT / ".ci" / "python", "--all"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in lines.splitlines())


def pairs(interpreters: dict[str, str]) -> list[Pair]:
    """Every pair that can be run with these interpreters."""
    with_browser = next((python for python in BROWSER_PYTHONS if python in interpreters), None)
    return [
        Pair(
            python,
            django,
            interpreters[python],
            of_python=django == djangos[-1],
            browser=(python, django) == (with_browser, BROWSER_DJANGO),
            suite=python == max((p for p in DJANGOS if p in interpreters and django in DJANGOS[p]), key=_version),
        )
        for python, djangos in DJANGOS.items()
        if python in interpreters
        for django in djangos
    ]


def _version(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))


def run(pair: Pair) -> Outcome:
    """Sets up the pair's environment and runs its tests; what they print goes to a log."""
    name = f"py{pair.python}-django{pair.django}"
    log = LOGS / f"{name}.log"
    with log.open("w") as output:
        made = subprocess.run(
            [ROOT / ".ci" / "venv", name, "tests/requirements.txt", f"tests/django-{pair.django}.txt"],
            cwd=ROOT,
            env={**os.environ, "PYTHON": pair.interpreter},
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            check=False,
        )
        if made.returncode:
            return Outcome(pair, passed=False, words="no environment", log=log)
        pytest = [f"{made.stdout.strip()}/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        ignored = ONCE if pair.of_python else (*ONCE, *OF_PYTHON)
        runs = [[*pytest, *(f"--ignore={path}" for path in ignored)]]
        if pair.browser:
            runs.append([*pytest, str(EVERY_SIGNAL)])
        if pair.suite:
            runs.append([pytest[0], "-m", "tests.suites", "part"])
        codes = [
            subprocess.run(arguments, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
            for arguments in runs
        ]
    summaries = re.findall(r"^=*\s*(\d+ .* in [\d.]+s)\b|^(django-.* differ)", log.read_text(), re.MULTILINE)
    words = ", ".join(map("".join, summaries)) or "nothing ran"
    return Outcome(pair, passed=not any(codes), words=words, log=log)


def main() -> int:
    """Returns 1 when a pair failed or none could be run."""
    interpreters = present()
    chosen = pairs(interpreters)
    LOGS.mkdir(parents=True, exist_ok=True)
    print(f"{len(chosen)} pairs; logs in {LOGS.relative_to(ROOT)}", flush=True)
    start = time.monotonic()
    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        longest_first = sorted(chosen, key=lambda pair: (not pair.suite, not pair.browser))
        done = dict(zip(longest_first, pool.map(run, longest_first), strict=True))
    outcomes = [done[pair] for pair in chosen]
    print(f"\n{'Python':8}{'Django':8}{'':8}")
    for outcome in outcomes:
        word = "passed" if outcome.passed else "FAILED"
        print(f"{outcome.pair.python:8}{outcome.pair.django:8}{word:8}{outcome.words}")
    for python in DJANGOS:
        if python not in interpreters:
            print(f"{python:8}{'':8}absent  no such interpreter here")
    print(f"in {time.monotonic() - start:.0f} s")
    for outcome in outcomes:
        if not outcome.passed:
            print(f"\n--- {outcome.log.relative_to(ROOT)}\n{outcome.log.read_text()[-4000:]}")
    return 0 if outcomes and all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
