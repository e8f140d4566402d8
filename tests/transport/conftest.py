"""What the tests of the way into the journal share."""

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the programs of a test have their journal."""
    return tmp_path / "journal.sqlite3"
