"""What being installed adds to a command that begins and ends."""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.subjects import RIVALS, ROOT, Answer, environment, fastest, new_folder

SUBJECTS = ("plain", "livesignals", *RIVALS)
ROUNDS = 10
#: ``manage.py check``, timed from where Django is first imported to where the apps are ready, and to where it is done.
TIMED = """
import sys, time
sys.argv[:] = ["manage.py", "check"]
began = time.perf_counter()
import django
django.setup()
ready = time.perf_counter()
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
print(ready - began, time.perf_counter() - began)
"""


def measure() -> Iterator[Figure]:
    """``manage.py check`` with the app installed and without, in processes that take turns."""
    rounds: dict[str, list[Answer]] = {name: [] for name in SUBJECTS}
    with ExitStack() as stack:
        folders = {name: stack.enter_context(new_folder()) for name in SUBJECTS}
        for number in range(ROUNDS + 1):
            for name, folder in folders.items():
                answer = _check(name, folder)
                if number:  # the first compiles
                    rounds[name].append(answer)
    for figure, what, limit in (
        ("command", "added to manage.py check by import and ready()", 25.0),
        ("ready", "… until the apps are ready", None),
        ("process", "… to the whole process, which stores what it sent before it ends", None),
        ("cpu", "… to its processor time", None),
    ):
        best = {name: fastest(answers, figure) * 1e3 for name, answers in rounds.items()}
        told = f"plain {best['plain']:.0f} ms; "
        told += ", ".join(f"{name} {best[name] - best['plain']:.0f} ms" for name in RIVALS)
        yield Figure(what, best["livesignals"] - best["plain"], "ms", told, at_most=limit)


def _check(subject: str, folder: Path) -> Answer:
    """Seconds until the apps were ready, of the command, of its process, and of the processor time of that."""
    began, cpu = time.perf_counter(), _children_cpu()
    program = [sys.executable, "-c", TIMED]
    ended = subprocess.run(program, cwd=ROOT, env=environment(subject, folder), capture_output=True, check=True)
    seconds = time.perf_counter() - began
    ready, command = map(float, ended.stdout.split()[-2:])
    return {"ready": ready, "command": command, "process": seconds, "cpu": _children_cpu() - cpu}


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
