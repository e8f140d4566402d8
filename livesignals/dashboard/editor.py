"""Links that open a source place in the reader's editor, as the setting ``EDITOR`` says.

Events name places in short, "shop/receivers.py:41". Where such a file is on this machine is found when the link is
made: only a Python file that exists below the project's root or an entry of ``sys.path`` gets one.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from livesignals import conf


def template() -> str | None:
    """The URL template in force; None without the setting."""
    editor = conf.read().editor
    return None if editor is None else conf.EDITORS.get(editor, editor)


def link(place: str | None) -> str | None:
    """The URL that opens *place*, "shop/views.py:41" with or without a function's name behind it.

    None when there is no setting, or no such file.
    """
    url = template()
    if url is None or not place:
        return None
    name, _, line = place.partition(" ")[0].rpartition(":")
    if not (line.isascii() and line.isdigit()):
        return None
    path = _found(name)
    if path is None:
        return None
    if path.startswith("/") and "//{path}" not in url:
        url = url.replace("/{path}", "{path}")
    return url.replace("{path}", quote(path, safe="/:")).replace("{line}", line)


def _found(name: str) -> str | None:
    """The absolute path of a shortened one."""
    if "\0" in name or not name.endswith(".py"):
        return None
    for folder in _folders():
        path = Path(os.path.normpath(folder / name))
        if path.is_relative_to(folder) and path.is_file():
            return path.as_posix()
    return None


def _folders() -> Iterator[Path]:
    """Where shortened paths may begin: the project, packages, and what holds the standard library."""
    yield conf.project_root()
    entries = [Path(entry or os.curdir).absolute() for entry in sys.path]
    yield from entries
    yield from (entry.parent for entry in entries if entry.name.startswith("python"))
