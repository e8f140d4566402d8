"""The processes that are measured: one for each recorder, since what it patches stays patched."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "project" / "manage.py"
DATABASE = "shop.sqlite3"
RIVALS = ("sentry-sdk", "django-orbit", "django-scope")
Answer = dict[str, Any]


def environment(subject: str, folder: Path) -> dict[str, str]:
    """What a process of this subject is started with."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("LIVESIGNALS_", "SHOP_"))} | {
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.inside.settings",
        "BENCH_SUBJECT": subject,
        "BENCH_FOLDER": str(folder),
    }


@contextmanager
def new_folder() -> Iterator[Path]:
    """A folder for a subject's files, the shop's empty database in it."""
    with TemporaryDirectory(prefix="livesignals-bench-") as name:
        Path(name, DATABASE).write_bytes(_tables())
        yield Path(name)


@cache
def _tables() -> bytes:
    """A database file with the tables of the shop and of every recorder."""
    with TemporaryDirectory(prefix="livesignals-bench-") as name:
        command = [sys.executable, str(MANAGE), "migrate", "--verbosity=0"]
        subprocess.run(command, env=environment("tables", Path(name)), check=True)
        return Path(name, DATABASE).read_bytes()


class Subject:
    """A process with one recorder, or none, that measures when it is asked."""

    def __init__(self, subject: str, module: str, folder: Path, journal: str = "") -> None:
        self.name = subject
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.inside.subject", module],
            cwd=ROOT,
            env=environment(subject, folder) | {"BENCH_JOURNAL": journal},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **asked: Any) -> Answer:
        """What its module's ``measure`` returns for these arguments. Raises RuntimeError when the process ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.name} ended with {self.process.wait()}")
        answer: Answer = json.loads(line)
        return answer

    def close(self) -> None:
        self.process.communicate()


@contextmanager
def started(subjects: Iterable[str], module: str, journal: str = "") -> Iterator[dict[str, Subject]]:
    """A process for each subject, with files of its own and a journal among them, unless it is at a URL; all of them
    end with the block."""
    with ExitStack() as stack:
        running = {}
        for name in subjects:
            folder = stack.enter_context(new_folder())
            running[name] = Subject(name, module, folder, journal)
            stack.callback(running[name].close)
        yield running


def fastest(rounds: Iterable[Answer], figure: str) -> float:
    """The smallest of a figure in several rounds: what else the machine does can only add."""
    return min(float(answer[figure]) for answer in rounds)
