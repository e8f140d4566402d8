"""The wheel, installed with nothing of the checkout in reach, watches a project that someone else made."""

import os
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.processes import Program, free_port

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(600)]  # pip fetches what the wheel depends on

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, so that both are known to be whole."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=CHECKOUT)
    (archive,) = folder.glob("*.tar.gz")
    options = ["-qq", "--no-input", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    _run(sys.executable, "-m", "pip", "wheel", *options, "-w", folder, archive, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that has the wheel and what it depends on, nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "venv", folder, cwd=folder)
    python = folder / "bin" / "python"
    _run(python, "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check", wheel, cwd=folder)
    return python


@pytest.fixture(scope="module")
def project(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``django-admin startproject`` makes, with one line more in its INSTALLED_APPS."""
    folder = tmp_path_factory.mktemp("project")
    _run(python, "-m", "django", "startproject", "site_of_someone", folder, cwd=folder)
    settings = folder / "site_of_someone" / "settings.py"
    opening = "INSTALLED_APPS = [\n"
    text = settings.read_text()
    assert opening in text
    settings.write_text(text.replace(opening, f'{opening}    "livesignals",\n'))
    return folder


def test_the_wheel_carries_the_package_and_its_static_files_and_nothing_else(wheel: Path) -> None:
    """Every file of livesignals/ and static/livesignals/ is in the wheel, and no tests and no shop."""
    package = {path.relative_to(CHECKOUT).as_posix() for path in _files(CHECKOUT / "livesignals")}
    static = {f"livesignals/{path.relative_to(CHECKOUT)}" for path in _files(CHECKOUT / "static" / "livesignals")}
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert static
    assert carried == package | static


def test_the_installed_package_is_not_the_checkout(python: Path, project: Path) -> None:
    """The tests below would prove nothing if the project imported this repository."""
    where = _run(python, "-c", "import livesignals; print(livesignals.__file__)", cwd=project)

    assert where.startswith(str(python.parent.parent))


def test_one_line_is_all_that_a_project_adds(python: Path, project: Path) -> None:
    """With it the project passes its checks without a warning, and has nothing more to migrate."""
    assert "no issues" in _run(python, "manage.py", "check", "--fail-level", "WARNING", cwd=project)
    assert "livesignals" not in _run(python, "manage.py", "showmigrations", cwd=project)


@pytest.mark.browser
def test_the_sidecar_lists_what_happens_in_the_project(python: Path, project: Path, page: Page, tmp_path: Path) -> None:
    """The link that ``livesignals serve`` prints opens a page with what runserver and a command send."""
    _run(python, "manage.py", "migrate", cwd=project)
    site, sidecar = free_port(), free_port()
    with (
        Program(
            [python, "manage.py", "runserver", "--noreload", f"127.0.0.1:{site}"],
            log=tmp_path / "runserver.log",
            cwd=project,
            env=_environment(),
        ) as runserver,
        Program(
            [python, "manage.py", "livesignals", "serve", "--port", str(sidecar)],
            log=tmp_path / "serve.log",
            cwd=project,
            env=_environment(),
        ) as serve,
    ):
        link = serve.wait_for_output(rf"http://127\.0\.0\.1:{sidecar}/\S*")[0]
        serve.wait_for_port(sidecar)
        runserver.wait_for_port(site)

        page.goto(link)
        urllib.request.urlopen(f"http://127.0.0.1:{site}/").close()
        expect(page.locator('li.row[data-signal="django.core.signals.request_finished"]').first).to_be_attached(
            timeout=30_000
        )

        _run(python, "manage.py", "createsuperuser", "--noinput", cwd=project, more=SUPERUSER)
        expect(
            page.locator('li.row[data-signal="django.db.models.signals.post_save"][data-sender="auth.User"]').first
        ).to_be_attached(timeout=30_000)


SUPERUSER = {
    "DJANGO_SUPERUSER_USERNAME": "ada",
    "DJANGO_SUPERUSER_EMAIL": "ada@site.example",
    "DJANGO_SUPERUSER_PASSWORD": "of no worth",
}


def _environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would lead back to the checkout."""
    leading = ("PYTHON", "DJANGO_", "LIVESIGNALS_", "SHOP_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(leading)}
    return {**kept, **(more or {})}


def _run(*arguments: str | Path, cwd: Path, more: Mapping[str, str] | None = None) -> str:
    """What the command printed; the test fails with it when the command does."""
    done = subprocess.run(
        arguments,
        cwd=cwd,
        env=_environment(more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
