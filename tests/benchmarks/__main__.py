"""``python -m tests.benchmarks [NAME…]``: measure and print one table."""

import importlib
import os
import platform
import sys

import django

NAMES = ("sending", "storing", "painting")


def main(names: list[str]) -> None:
    """Run the named benchmarks, all without names."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}.")
    print(f"Python {platform.python_version()}, Django {django.get_version()}, {os.cpu_count()} cores\n")
    for name in names or NAMES:
        for what, figure, compared in importlib.import_module(f"tests.benchmarks.{name}").measure():
            print(f"{what:<64} {figure:>22}   {compared}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
