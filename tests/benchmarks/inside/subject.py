"""``python -m tests.benchmarks.inside.subject MODULE``: a process that measures when it is asked.

It reads a JSON object a line, calls ``MODULE.measure(**object)`` and prints what that returned as a line of JSON.
Settings come from the environment. See :mod:`tests.benchmarks.subjects`, which starts and asks it.
"""

import importlib
import json
import sys

import django


def main(name: str) -> None:
    django.setup()
    module = importlib.import_module(f"tests.benchmarks.inside.{name}")
    for line in sys.stdin:
        print(json.dumps(module.measure(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
