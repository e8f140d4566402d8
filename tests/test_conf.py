"""The settings dict: read anew each time, and refused with words that help where it is wrong."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.test import override_settings

from livesignals import conf
from livesignals.exceptions import ConfigurationError

KEYS = [
    "ENABLED",
    "JOURNAL",
    "RETAIN_EVENTS",
    "RETAIN_BYTES",
    "SIGNALS",
    "COUNT",
    "SAMPLE",
    "FLOOD",
    "VALUES",
    "MASK",
    "MASK_FUNCTION",
    "ACCESS",
    "CAPTURE",
    "TEMPLATES",
    "EDITOR",
]


def refusal(settings: Any) -> tuple[str, str]:
    """Message and hint of the error that these settings are."""
    with override_settings(LIVESIGNALS=settings), pytest.raises(ConfigurationError) as caught:
        conf.read()
    return str(caught.value), caught.value.hint


class TestReading:
    def test_a_project_needs_no_settings(self) -> None:
        """Without LIVESIGNALS each has its default."""
        with override_settings():
            from django.conf import settings

            del settings.LIVESIGNALS
            assert conf.read() == conf.Settings()

    def test_settings_are_read_anew_each_time(self) -> None:
        """So that override_settings works, nested too."""
        with override_settings(LIVESIGNALS={"RETAIN_EVENTS": 10}):
            assert conf.read().retain_events == 10
            with override_settings(LIVESIGNALS={"RETAIN_EVENTS": 20, "MASK": ["iban"]}):
                assert (conf.read().retain_events, conf.read().mask) == (20, ["iban"])
            assert (conf.read().retain_events, conf.read().mask) == (10, [])

    def test_every_documented_key_is_taken(self) -> None:
        """With a value of its kind."""
        values = {
            "ENABLED": True,
            "JOURNAL": "memory:",
            "RETAIN_EVENTS": 10,
            "RETAIN_BYTES": 65_536,
            "SIGNALS": ["*", "-django.core.signals.*"],
            "COUNT": ["pre_init", "post_init"],
            "SAMPLE": {"post_save": 100, "auth.*": 1},
            "FLOOD": {"*": 1_000, "post_save": 50},
            "VALUES": "names",
            "MASK": ("iban",),
            "MASK_FUNCTION": "shop.privacy.mask",
            "ACCESS": "shop.access.may_look",
            "CAPTURE": "connect",
            "TEMPLATES": False,
            "EDITOR": "mine://open?path={path}&line={line}",
        }
        assert list(values) == KEYS
        with override_settings(LIVESIGNALS=values):
            assert {key: getattr(conf.read(), key.lower()) for key in KEYS} == {**values, "MASK": ["iban"]}

    @pytest.mark.parametrize("debug", [True, False])
    def test_what_is_not_said_is_decided_by_debug(self, debug: bool) -> None:
        """Without DEBUG nothing is on, no value is shown, and templates are left alone."""
        with override_settings(DEBUG=debug, LIVESIGNALS={}):
            settings = conf.read()
            assert conf.is_enabled(settings) is debug
            assert conf.shows_values(settings) is debug
            assert conf.instruments_templates(settings) is debug

    @pytest.mark.parametrize("debug", [True, False])
    def test_what_is_said_holds_whatever_debug_is(self, debug: bool) -> None:
        """In both directions."""
        with override_settings(DEBUG=debug, LIVESIGNALS={"ENABLED": True, "VALUES": "masked", "TEMPLATES": True}):
            settings = conf.read()
            assert conf.is_enabled(settings)
            assert conf.shows_values(settings)
            assert conf.instruments_templates(settings)
        with override_settings(DEBUG=debug, LIVESIGNALS={"ENABLED": False, "VALUES": "names", "TEMPLATES": False}):
            settings = conf.read()
            assert not conf.is_enabled(settings)
            assert not conf.shows_values(settings)
            assert not conf.instruments_templates(settings)


class TestRefusals:
    @pytest.mark.parametrize(
        ("key", "meant"),
        [
            ("ENABLE", "ENABLED"),
            ("enabled", "ENABLED"),
            ("JOURNALS", "JOURNAL"),
            ("RETAIN_EVENT", "RETAIN_EVENTS"),
            ("RETAIN-BYTES", "RETAIN_BYTES"),
            ("SIGNAL", "SIGNALS"),
            ("MASKS", "MASK"),
            ("ACESS", "ACCESS"),
            ("TEMPLATE", "TEMPLATES"),
        ],
    )
    def test_a_misspelt_key_is_told_what_was_meant(self, key: str, meant: str) -> None:
        """The nearest key that exists."""
        message, hint = refusal({key: None})
        assert message == f"LIVESIGNALS has no setting {key!r}."
        assert hint == f"Did you mean {meant!r}?"

    @pytest.mark.parametrize("key", ["COLOUR", "", 7, None, (1, 2)])
    def test_a_key_like_no_other_is_told_which_there_are(self, key: object) -> None:
        """Whatever it is."""
        message, hint = refusal({key: True})
        assert repr(key) in message
        assert all(known in hint for known in KEYS)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("ENABLED", "yes"),
            ("ENABLED", 1),
            ("JOURNAL", Path("/srv/journal.sqlite3")),
            ("RETAIN_EVENTS", "100000"),
            ("RETAIN_EVENTS", 1.5),
            ("RETAIN_EVENTS", True),
            ("RETAIN_EVENTS", None),
            ("RETAIN_BYTES", "256 MB"),
            ("SIGNALS", "django.*"),
            ("SIGNALS", [7]),
            ("COUNT", "post_init"),
            ("COUNT", None),
            ("SAMPLE", 100),
            ("SAMPLE", {"post_save": "100"}),
            ("SAMPLE", {"post_save": 0.01}),
            ("SAMPLE", None),
            ("FLOOD", "1000"),
            ("FLOOD", {"post_save": None}),
            ("FLOOD", True),
            ("VALUES", "all"),
            ("VALUES", True),
            ("MASK", "iban"),
            ("MASK", {"iban": True}),
            ("ACCESS", True),
            ("ACCESS", len),
            ("CAPTURE", "wrap"),
            ("TEMPLATES", "on"),
            ("EDITOR", True),
        ],
    )
    def test_a_value_of_a_wrong_type_is_told_what_is_right(self, key: str, value: object) -> None:
        """The message names the key, the hint what it takes."""
        message, hint = refusal({key: value})
        assert message.startswith(f"LIVESIGNALS[{key!r}] has a wrong value: ")
        assert len(hint) > 5
        assert "README" not in hint

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("RETAIN_EVENTS", 0),
            ("RETAIN_EVENTS", -5),
            ("SAMPLE", {"post_save": 0}),
            ("FLOOD", {"*": 1_000, "post_save": 0}),
            ("FLOOD", 0),
            ("FLOOD", -1),
            ("RETAIN_BYTES", 65_535),
            ("JOURNAL", ""),
            ("JOURNAL", "/srv/journal.sqlite3"),
            ("JOURNAL", "sqlite://journal.sqlite3"),
            ("JOURNAL", "postgres://localhost/signals"),
            ("JOURNAL", "postgres://localhost"),
            ("EDITOR", ""),
            ("EDITOR", "notepad"),
            ("EDITOR", "vscode://file/"),
            ("EDITOR", "https://example.com/{path}"),
            ("EDITOR", "javascript:open('{path}')"),
            ("EDITOR", "data:text/html,{path}"),
            ("EDITOR", "/{path}"),
        ],
    )
    def test_a_value_out_of_bounds_is_told_the_bound(self, key: str, value: object) -> None:
        """In the message, by the key's name."""
        message, hint = refusal({key: value})
        assert key in message
        assert "must" in message
        assert hint

    @pytest.mark.parametrize("settings", [None, [], "on", True])
    def test_settings_that_are_no_dict_are_refused(self, settings: object) -> None:
        """With what to write instead."""
        message, hint = refusal(settings)
        assert type(settings).__name__ in message
        assert "LIVESIGNALS = {" in hint


class TestWhereTheJournalIs:
    @pytest.fixture(autouse=True)
    def _no_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(conf.ENVIRONMENT_JOURNAL, raising=False)

    def test_by_default_it_is_in_the_project(self) -> None:
        """In a folder of its own."""
        path = conf.project_root() / ".livesignals" / "journal.sqlite3"
        assert conf.journal_url(conf.Settings()) == f"sqlite:///{path}"

    def test_the_setting_moves_it(self) -> None:
        """To wherever it names."""
        assert conf.journal_url(conf.Settings(journal="sqlite:////var/lib/j.sqlite3")) == "sqlite:////var/lib/j.sqlite3"

    def test_the_environment_wins_over_the_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One deployment may differ; empty is as good as not set."""
        monkeypatch.setenv("LIVESIGNALS_JOURNAL", "sqlite:////srv/other.sqlite3")
        assert conf.journal_url(conf.Settings(journal="memory:")) == "sqlite:////srv/other.sqlite3"
        monkeypatch.setenv("LIVESIGNALS_JOURNAL", "")
        assert conf.journal_url(conf.Settings(journal="memory:")) == "memory:"

    @pytest.mark.parametrize("path", ["journals/j.sqlite3", "j.sqlite3", "../j.sqlite3"])
    def test_a_relative_path_is_the_same_wherever_a_command_is_started(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        """Below the project's root, as the journal is by default; from the environment too."""
        monkeypatch.chdir(tmp_path)
        expected = f"sqlite:///{conf.project_root() / path}"
        assert conf.journal_url(conf.Settings(journal=f"sqlite:///{path}")) == expected
        monkeypatch.setenv(conf.ENVIRONMENT_JOURNAL, f"sqlite:///{path}")
        assert conf.journal_url(conf.Settings(journal="memory:")) == expected

    @pytest.mark.parametrize("url", ["sqlite:///~/j.sqlite3", "sqlite:////srv/j.sqlite3", "sqlite:///", "memory:"])
    def test_what_is_no_relative_path_stays_as_it_is(self, url: str) -> None:
        """Absolute, of a person's home, missing, or no file at all."""
        assert conf.journal_url(conf.Settings(journal=url)) == url

    @pytest.mark.parametrize("scheme", conf.REDIS_SCHEMES)
    def test_it_may_be_in_redis(self, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
        """Wherever that is."""
        assert conf.journal_url(conf.Settings(journal=f"{scheme}host/0")) == f"{scheme}host/0"
        monkeypatch.setenv("LIVESIGNALS_JOURNAL", f"{scheme}host/1")
        assert conf.journal_url(conf.Settings()) == f"{scheme}host/1"


class TestWhoseTheJournalIs:
    def test_a_file_is_of_the_project_in_its_folder(self) -> None:
        """Two checkouts of a project are two projects."""
        assert conf.project_identity("sqlite:///journal.sqlite3") == str(conf.project_root())

    def test_on_all_hosts_a_project_is_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever folder it is in."""
        identity = conf.project_identity("redis://host")
        monkeypatch.setattr(conf, "project_root", lambda: Path("/somewhere/else"))
        assert conf.project_identity("redis://host") == identity

    def test_projects_with_urls_of_the_same_name_are_told_apart(self) -> None:
        """By their SECRET_KEY, which is not to be found out from what is stored."""
        with override_settings(SECRET_KEY="one", ROOT_URLCONF="config.urls"):
            one = conf.project_identity("redis://host")
        with override_settings(SECRET_KEY="two", ROOT_URLCONF="config.urls"):
            two = conf.project_identity("redis://host")
        assert one != two
        assert one.partition(" ")[0] == two.partition(" ")[0] == "config.urls"
        with override_settings(SECRET_KEY=""):
            assert conf.project_identity("redis://host")


class TestProjectRoot:
    @pytest.mark.parametrize(
        ("module", "file", "root"),
        [
            ("settings", "settings.py", "."),
            ("site.settings", "site/settings.py", "."),
            ("site.settings.dev", "site/settings/dev.py", "."),
            ("site.settings", "site/settings/__init__.py", "."),
            ("settings", "settings/__init__.py", "."),
        ],
    )
    def test_it_holds_the_package_of_the_settings(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, file: str, root: str
    ) -> None:
        """However deep the settings module is, and whether it is a file or a package."""
        loaded = ModuleType(module)
        loaded.__file__ = str(tmp_path / file)
        monkeypatch.setitem(sys.modules, module, loaded)
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", module)
        assert conf.project_root() == tmp_path / root

    def test_it_is_the_working_directory_where_there_is_no_settings_module(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As for settings.configure(…) in a script."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "made.up.settings")
        assert conf.project_root() == tmp_path

    def test_the_shop_s_is_the_checkout(self) -> None:
        """These tests run under the shop's settings."""
        assert conf.project_root() == Path(__file__).parents[1]


def test_the_keys_are_those_of_the_readme() -> None:
    """What the settings are is said in one place for people and in one for the program: both have the same."""
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    first_cells = re.findall(r"^\| (`[A-Z_`, ]+) \|", readme, re.MULTILINE)
    assert re.findall(r"\w+", " ".join(first_cells)) == KEYS
