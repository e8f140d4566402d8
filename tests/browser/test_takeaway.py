"""A person takes away what the filter holds, and opens a recording."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS, Dashboard, Shop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def saved(dashboard: Dashboard, form: str, folder: Path) -> Path:
    """Choose a form in the menu; the file that the browser saved."""
    page = dashboard.page
    page.locator("#take-away-button").click()
    with page.expect_download() as download:
        page.locator(f"#take-away a[data-format={form}]").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_what_the_filter_holds_is_saved_as_a_file(dashboard: Dashboard, shop: Shop, tmp_path: Path) -> None:
    """JSON Lines as the command line writes them, a table, a trace; the page stays, and is live."""
    dashboard.open()
    dashboard.filter("sender:shop.Tag")
    expect(dashboard.page.locator("#filter-english")).not_to_be_empty()
    lines = saved(dashboard, "jsonl", tmp_path)
    assert lines.suffix == ".jsonl"
    assert lines.read_text(encoding="utf-8") == shop.manage("livesignals", "export", "sender:shop.Tag")
    count = len(lines.read_text(encoding="utf-8").splitlines())
    assert count > 5
    trace = json.loads(saved(dashboard, "trace", tmp_path).read_text(encoding="utf-8"))
    assert sum(entry["ph"] == "X" and entry["cat"].startswith("send") for entry in trace["traceEvents"]) == count
    table = saved(dashboard, "csv", tmp_path).read_text(encoding="utf-8")
    assert table.startswith("v,epoch,id,uid,")
    dashboard.expect_state("LIVE")


def test_a_recording_is_opened_from_the_menu_and_left_again(dashboard: Dashboard, shop: Shop, tmp_path: Path) -> None:
    """It says what it is and never that it is live; list, filter and detail work on it; sends of now stay out."""
    file = tmp_path / "monday.jsonl"
    shop.manage("livesignals", "export", "sender:shop.Product", "-o", str(file))
    lines = file.read_text(encoding="utf-8").splitlines()[:10]
    file.write_text("\n".join(line.replace("shop.Product", "shop.Remembered") for line in lines), encoding="utf-8")
    shop.manage("livesignals", "import", str(file))

    page = dashboard.page
    dashboard.open()
    page.locator("#take-away-button").click()
    page.locator("#recordings a", has_text="monday").click()
    dashboard.expect_state("RECORDING")
    expect(page.locator("#recording")).to_contain_text("Recording monday: 10 sends from monday.jsonl, imported")
    expect(dashboard.rows()).to_have_count(10, timeout=PATIENCE_MS)
    expect(dashboard.rows(sender="shop.Remembered")).to_have_count(10)

    shop.manage("shell", "-v0", "-c", "from project.shop.models import Tag; Tag.objects.create(name='now')")
    dashboard.filter("id:1..3")
    expect(dashboard.rows()).to_have_count(3, timeout=PATIENCE_MS)
    dashboard.rows().first.click()
    expect(page.locator("#detail")).to_contain_text("shop.Remembered", timeout=PATIENCE_MS)
    assert saved(dashboard, "jsonl", tmp_path).name == "monday.jsonl"
    expect(page.locator("#pause")).to_be_hidden()

    page.locator("#recording a").click()
    dashboard.expect_state("LIVE")
    expect(page.locator("#recording")).to_have_count(0)
    dashboard.expect_row("post_save", sender="shop.Tag")


def test_what_cannot_be_taken_away_is_said_in_the_page(dashboard: Dashboard, shop: Shop, tmp_path: Path) -> None:
    """And not saved as a file."""
    dashboard.open("?from=yesterday")
    dashboard.page.locator("#take-away-button").click()
    dashboard.page.locator("#take-away a[data-format=csv]").click()
    expect(dashboard.page.locator("#refusal")).to_contain_text("neither an id nor a time", timeout=PATIENCE_MS)
    dashboard.expect_state("LIVE")


def test_a_recording_that_is_deleted_is_told(dashboard: Dashboard, shop: Shop, tmp_path: Path) -> None:
    """The page says that it is gone, and nothing is made in its place."""
    file = tmp_path / "short.jsonl"
    shop.manage("livesignals", "export", "sender:shop.Tag", "-o", str(file))
    shop.manage("livesignals", "import", str(file))
    dashboard.page.goto(shop.link())
    dashboard.page.goto(f"{shop.url}/livesignals/?recording=short")
    dashboard.expect_state("RECORDING")
    shop.manage("livesignals", "recordings", "--delete", "short")
    expect(dashboard.page.locator("#problem")).to_contain_text("there is no journal", timeout=PATIENCE_MS)
    assert "short" not in shop.manage("livesignals", "recordings")
