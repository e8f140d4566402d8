#!/usr/bin/env python
"""Django's command line for the shop; works from any folder."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    # Python puts this folder first on the path; from there ``shop`` would be ``project.shop`` once more.
    elsewhere = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]
    sys.path[:] = [str(HERE.parent), *elsewhere]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
