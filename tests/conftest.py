"""What tests of every part share: a real Redis and a real browser."""

import shutil
from collections.abc import Iterator

import hypothesis
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from livesignals import logs
from tests.processes import Program, free_port

# Time judges no test: a busy machine is no fault of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

CHROMIUM_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(autouse=True)
def calm() -> None:
    """What one test has brought into the log is no news for the next."""
    logs.calm.kinds.clear()
    logs.journal_trouble.forget()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that holds nothing and belongs to this test run."""
    folder = tmp_path_factory.mktemp("redis")
    port = free_port()
    arguments = [
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--dir",
        str(folder),
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    with Program([_program("redis-server"), *arguments], log=folder / "log") as server:
        server.wait_for_port(port)
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture(scope="module")  # its event loop shows in this thread: no longer than the tests that want it
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_program("chromium"), args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page with cookies and storage of its own; an error that its scripts leave uncaught fails the test."""
    errors: list[str] = []
    with chromium.new_context() as context:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
    assert errors == []


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on PATH; `make test` installs it")
    return path
