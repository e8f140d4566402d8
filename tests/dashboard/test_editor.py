"""Links that open a source place in the reader's editor."""

import sys
from pathlib import Path

import pytest
from django.test import override_settings

from livesignals.dashboard import editor, rendering
from livesignals.events import ReceiverCall
from tests.dashboard.test_rendering import Document, event

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
PLACE = "tests/dashboard/test_editor.py:7"


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("vscode", f"vscode://file{HERE}:7"),
        ("pycharm", f"pycharm://open?file={HERE}&line=7"),
        ("sublime", f"subl://open?url=file://{HERE}&line=7"),
        ("mine://{line}/{path}", f"mine://7{HERE}"),
        (None, None),
    ],
)
def test_a_place_of_the_project_has_a_link_where_the_setting_says_so(setting: str | None, url: str | None) -> None:
    """The name of an editor, or a URL of one's own; with a function behind the line too."""
    with override_settings(LIVESIGNALS={"EDITOR": setting}):
        assert editor.link(PLACE) == editor.link(f"{PLACE} test_something") == url


@override_settings(LIVESIGNALS={"EDITOR": "vscode"})
def test_places_in_packages_and_in_the_standard_library_are_found() -> None:
    """As they are shortened there: from the package's folder, or the last three parts."""
    import django.db

    package = Path(django.db.__file__)
    assert editor.link("django/db/__init__.py:7") == f"vscode://file{package}:7"
    library = f"python{sys.version_info.major}.{sys.version_info.minor}/asyncio/base_events.py:1"
    assert (editor.link(library) or "").endswith(f"/{library}")


@pytest.mark.parametrize(
    "place",
    [
        "", None, "no/such/file.py:1", "tests/dashboard:1", "pyproject.toml:1", "../../../etc/hosts.py:1", PLACE[:-2],
        "tests/dashboard/test_editor.py:x", "tests/dashboard/test_editor.py:１", "tests\0.py:1",
        f"tests/../../{ROOT.name}/../../{HERE.name}:1",
    ],
)  # fmt: skip
@override_settings(LIVESIGNALS={"EDITOR": "vscode"})
def test_what_is_no_python_file_of_this_project_has_none(place: str | None) -> None:
    """Events can say anything: a link opens what exists and was meant."""
    assert editor.link(place) is None


@override_settings(LIVESIGNALS={"EDITOR": "mine://open?a={path}&b={line}"})
def test_the_pane_has_the_links() -> None:
    """Of receivers and of where the send was made; text without the setting."""
    sent = event(where=f"{PLACE} place_order", receivers=[ReceiverCall(name="r", duration_us=1.0, place=PLACE)])
    expected = f"mine://open?a={HERE}&b=7"

    def links() -> list[str | None]:
        elements = Document(rendering.detail_html(sent)).elements
        return [found["href"] for tag, found in elements if tag == "a" and found.get("class") == "place"]

    assert links() == [expected, expected]
    with override_settings(LIVESIGNALS={}):
        assert links() == []
