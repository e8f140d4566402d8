"""What is secret, by name, value, signal and model, and what is not."""

import base64
import datetime
import json
import logging
import os
import random
import string
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import models
from django.dispatch import Signal
from django.test.utils import isolate_apps

from livesignals import capture
from livesignals.capture import sends
from livesignals.capture.describe import Describer
from livesignals.events import Event, encode
from livesignals.snapshot import freeze
from livesignals.snapshot.masking import MASK, Masking
from livesignals.snapshot.render import render
from tests.snapshot.conftest import Show

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"

ROOT = Path(__file__).parents[2]
PRIVACY = """
def mask(name, value):
    return value.replace("greta", "•••") if name == "customer" else None

def broken(name, value):
    raise ValueError(value)
"""
SEND = "from django.dispatch import Signal; Signal().send('shell', customer='greta was here', marker=1)"


def mask(text: str) -> str:
    """The text as it is shown."""
    return Masking().mask_text(text)


class TestNames:
    @pytest.mark.parametrize(
        "name",
        "password passwd new_password1 newPassword1 NEW-PASSWORD-1 userPassword pass word.password pwd PWD "
        "user_pwd otp otp_code pin PIN cardPin cvc secret client_secret clientSecret SECRET_KEY token "
        "access_token accessToken X-Access-Token api_key apiKey API-KEY apikey x_api_key private_key "
        "aws_access_key_id credentials authorization HTTP_AUTHORIZATION auth cookie HTTP_COOKIE Set-Cookie "
        "sessionid session_key HTTP_X_SESSION_ID csrfmiddlewaretoken SENTRY_DSN dsn signature jwt salt ssn "
        "iban passphrase QUERY_STRING key hmac_key recovery_code creditCard credit_card "
        "passwort kennwort2".split(),
    )
    def test_a_secret_name_hides_its_value(self, name: str, show: Show) -> None:
        """Whatever its case and separators, as an argument, in a dict, and whatever the value is."""
        assert show(**{name: "hunter2"}) == {name: MASK}
        for value in ("hunter2", b"hunter2", 1234, 1.5, ["hunter2"], {"a": "hunter2"}, "hunter2" * 500):
            assert show(data={name: value}) == {"data": {name: MASK}}
            assert show(data={name.encode(): value}) == {"data": {name: MASK}}

    @pytest.mark.parametrize(
        "name",
        "keyboard monkey spinning pinned author authority compass passage bypassed hotpot expand company "
        "tokyo passenger status code country_code name email created using instance raw update_fields".split(),
    )
    def test_an_ordinary_name_hides_nothing(self, name: str, show: Show) -> None:
        """A secret word must be a part of it, and not by chance."""
        assert show(**{name: "hunter2"}) == {name: "hunter2"}

    def test_a_project_can_add_names(self, show: Show) -> None:
        """In whatever way they are written; they count as whole parts of a name."""
        masking = Masking(["card_number", "Vat-Id"])
        hidden = {"card_number": "1", "cardNumber": "1", "CARD-NUMBER": "1", "customer_card_number": "1", "vat_id": "1"}
        shown = {"card": "1", "number": "1", "discard_numbers": "1", "private_vats": "1"}
        assert show(masking=masking, data={**hidden, **shown})["data"] == {**dict.fromkeys(hidden, MASK), **shown}

    def test_a_pair_of_name_and_value_is_known_by_its_name(self, show: Show) -> None:
        """As headers are: of text, and of bytes in ASGI."""
        headers = [
            ("Authorization", "hunter2"),
            (b"cookie", b"hunter2"),
            ("Accept", "text/html"),
            (b"host", b"a.example"),
        ]
        assert show(headers=headers)["headers"] == [
            ["Authorization", MASK],
            ["cookie", MASK],
            ["Accept", "text/html"],
            ["host", "a.example"],
        ]


class TestValues:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("postgres://greta:hunter2@db.example:5432/shop", f"postgres://{MASK}@db.example:5432/shop"),
            ("redis://:hunter2@cache", f"redis://{MASK}@cache"),
            ("https://0a1b2c@o1.ingest.example/7", f"https://{MASK}@o1.ingest.example/7"),
            ("cannot reach mysql://u:p/w@h?x=1, given up", f"cannot reach mysql://{MASK}@h?x=1, given up"),
            ("amqp://u:p@ss@h/v", f"amqp://{MASK}@h/v"),
            (f"it said {JWT}.", f"it said {MASK}."),
            (PEM, MASK),
            (f"key:\n{PEM}\nend", f"key:\n{MASK}\nend"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\ncut", MASK),
            ("Bearer hunter2hunter2", MASK),
            ("sent Basic dXNlcjpwYXNz to it", f"sent {MASK} to it"),
            ("Token 9944b09199c62bcf9418ad846dd0e4bb", MASK),
            ("Cookie: a=b; c=d\nHost: h", f"Cookie: {MASK}\nHost: h"),
            ("authorization: Custom abc def", f"authorization: {MASK}"),
            ("pbkdf2_sha256$600000$salt$aGFzaA==", MASK),
            ("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW", MASK),
            ("argon2$argon2id$v=19$m=102400", MASK),
            ("/reset/MQ/c1xm3f-0123456789abcdef0123456789abcdef/", f"/reset/MQ/{MASK}/"),
            ("GET /reset/MQ/set-0123456789abcdef0123456789abcdef", f"GET /reset/MQ/{MASK}"),
            ("host=h password=hunter2 dbname=d", f"host=h password={MASK} dbname=d"),
            ("?page=2&token=abc&x=1", f"?page=2&token={MASK}&x=1"),
            ('{"user": "greta", "password": "hun\\"ter2"}', f'{{"user": "greta", "password": {MASK}}}'),
            ("{'new_password1': 'hunter2', 'a': 1}", f"{{'new_password1': {MASK}, 'a': 1}}"),
            ("login(username='greta', password='hun ter2')", f"login(username='greta', password={MASK})"),
            ('{\\"password\\": \\"hunter2\\", \\"a\\": 1}', f'{{\\"password\\": {MASK}, \\"a\\": 1}}'),
            ('{"password": "cut in the mid', f'{{"password": {MASK}'),
            ("AKIAIOSFODNN7EXAMPLE", MASK),
            ("sk" + "_live_4eC39HqLyjW", MASK),
            ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", MASK),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", MASK),
        ],
    )
    def test_a_secret_is_known_by_its_form(self, text: str, shown: str) -> None:
        """And no more than it is taken out."""
        assert mask(text) == shown

    @pytest.mark.parametrize("size", [24, 32, 48])
    def test_long_random_text_is_masked(self, size: int) -> None:
        """Tokens as Python's `secrets` and Django make them; a few that look like words may pass."""
        rng = random.Random(size)
        alphabets = (
            string.hexdigits[:16],
            string.ascii_lowercase + string.digits,
            string.ascii_letters + string.digits,
        )
        texts = ["".join(rng.choices(rng.choice(alphabets), k=size)) for _ in range(1_000)]
        texts += [base64.urlsafe_b64encode(rng.randbytes(size * 3 // 4)).decode() for _ in range(1_000)]
        passed = [text for text in texts if mask(text) != MASK]
        assert len(passed) <= 20
        assert [text for text in texts if mask(f"/a/{text}/b") != f"/a/{MASK}/b"] == passed

    @pytest.mark.parametrize(
        "text",
        [
            "21eacfb1-7699-0523-5061-c184fcf26936",
            "Invoice_21eacfb1-7699-4523-9061-c184fcf26936_final",
            "a-rather-long-slug-about-the-best-10-products-of-2026",
            "Annual_Report_2026_Final_Version_With_Comments_And_Tables.pdf",
            "2026-01-02T03:04:05.678901+00:00",
            "django.contrib.auth.signals.user_login_failed",
            "tests.snapshot.test_masking.TestValues.test_2_of_3_things",
            "/srv/media/uploads/2026/IMG_20260102_030405_HDR.jpg",
            "C:\\Users\\Ada\\Documents\\project",
            "0001_squashed_0042_auto_20260102_0304",
            "AbstractBaseUserManagerWithEmailAndPhone2",
            "getUserAccountSettingsFromVersion2Endpoint",
            "https://shop.example:8443/products/?page=2&sort=name&q=a%20b#top",
            "http://localhost:8000/@greta",
            "greta@example.com, bob@example.com",
            "Basic training starts, Token expired, Bearer of news, Digest of the week",
            "Wrong password: try again or ask for a new one.",
            "price=12.50, name=saffron; stock = 4",
            '{"status": "paid", "total": 12.5}',
            "duplicate value violates unique constraint (slug)=(saffron)",
            "12345678901234567890123456789012",
            "lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor",
            "+44 20 7946 0958",
            "SELECT * FROM shop_order WHERE id = 7 AND status = 'paid'",
            "• ünïcödé — текст 中文字符 without spaces",
        ],
    )
    def test_ordinary_text_stays(self, text: str) -> None:
        """UUIDs with dashes, slugs, dates, dotted names, paths, addresses, sentences."""
        assert mask(text) == text

    def test_the_paths_and_modules_of_django_stay(self) -> None:
        """All of them."""
        root = Path(django.__file__).parent
        files = [
            str(path.relative_to(root.parent)) for path in root.rglob("*") if path.suffix in (".py", ".html", ".po")
        ]
        names = files + [file.removesuffix(".py").replace("/", ".") for file in files]
        assert len(names) > 2_000
        assert [name for name in names if mask(name) != name] == []

    def test_a_secret_cut_in_two_is_not_shown_in_part(self, show: Show) -> None:
        """The end of a text that is too long goes, since it may be the beginning of a secret."""
        for padding in range(980, 1_030):
            text = "x " * (padding // 2) + "postgres://greta:hunter2@db.example/shop and more " + "x " * 200
            assert "hunter" not in show(text=text)["text"]
            assert "greta:" not in show(data=text.encode())["data"]

    def test_bytes_are_masked_as_the_text_that_they_are(self, show: Show) -> None:
        """Also in hex, where they are none."""
        shown = show(a=b"password=hunter2", b=b"plain", c=b"\x00\xff", d=random.Random(1).randbytes(32))
        assert shown == {"a": f"password={MASK}", "b": "plain", "c": "00ff", "d": MASK}

    def test_a_secret_as_a_key_of_a_dict_is_masked(self, show: Show) -> None:
        """Keys are values too."""
        assert show(data={JWT: 1, "postgres://u:p@h": 2}) == {"data": {MASK: 1, f"postgres://{MASK}@h": 2}}


class TestSignals:
    ENVIRON = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/orders/",
        "DATABASE_URL": "hunter2",
        "HTTP_COOKIE": "hunter2",
        "QUERY_STRING": "hunter2",
        "HOME": "hunter2",
    }
    SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [(b"x", b"hunter2")], "query_string": b"hunter2"}

    @pytest.mark.parametrize("name", ["environ", "meta"])
    def test_of_a_requests_environment_only_its_method_and_path_are_kept(self, name: str, show: Show) -> None:
        """Whatever name it goes by, and however deep it is."""
        kept = {"REQUEST_METHOD": "GET", "PATH_INFO": "/orders/"}
        assert show(**{name: self.ENVIRON}) == {name: kept}
        assert show(data=[self.ENVIRON])["data"] == [kept]

    def test_of_a_requests_scope_only_its_method_and_path_are_kept(self, show: Show) -> None:
        """The same for ASGI."""
        assert show(scope=self.SCOPE) == {"scope": {"type": "http", "method": "GET", "path": "/"}}

    def test_of_a_failed_login_only_who_it_was_is_kept(self, show: Show) -> None:
        """Not what else was typed in, whatever it is called."""
        typed = {
            "username": "greta",
            "password": "********************",
            "pwd": "a",
            "otp": "b",
            "code": "c",
            "answer": "d",
        }
        shown = show(signal="django.contrib.auth.signals.user_login_failed", credentials=typed)
        assert shown == {"credentials": {**dict.fromkeys(typed, MASK), "username": "greta"}}

    def test_the_value_of_a_setting_is_known_by_the_settings_name(self, show: Show) -> None:
        """Databases are shown without their passwords."""
        signal = "django.core.signals.setting_changed"
        assert show(signal=signal, setting="SECRET_KEY", value="hunter2", enter=True)["value"] == MASK
        assert show(signal=signal, setting="SENTRY_DSN", value="hunter2", enter=True)["value"] == MASK
        assert show(signal=signal, setting="LANGUAGE_CODE", value="fr", enter=True)["value"] == "fr"
        databases = {
            "default": {"ENGINE": "postgresql", "PASSWORD": "hunter2", "OPTIONS": {"passfile": "p", "sslkey": "k"}}
        }
        shown = show(signal=signal, setting="DATABASES", value=databases)["value"]
        assert shown["default"]["PASSWORD"] == MASK
        assert shown["default"]["ENGINE"] == "postgresql"

    def test_the_keys_in_a_pk_set_are_those_of_the_model(self, show: Show) -> None:
        """The primary keys of sessions and tokens are secrets."""
        signal = "django.db.models.signals.m2m_changed"
        assert show(signal=signal, model=Session, pk_set={"hunter2"})["pk_set"] == MASK
        assert show(signal=signal, model=User, pk_set={7})["pk_set"] == [7]


class TestModels:
    @isolate_apps("tests")
    def test_all_texts_of_sessions_and_tokens_are_secret(self, show: Show) -> None:
        """Their primary keys too, and as whatever type they are kept."""

        class AccessToken(models.Model):
            code = models.CharField(max_length=40, primary_key=True)
            note = models.TextField()
            public = models.UUIDField()
            data = models.JSONField()
            uses = models.IntegerField()
            made = models.DateField()

            class Meta:
                app_label = "tests"

            def __str__(self) -> str:
                return "never asked"

        token = AccessToken(
            code="hunter2",
            note="hunter2",
            public=uuid.uuid4(),
            data={"a": "hunter2"},
            uses=7,
            made=datetime.date(2026, 1, 2),
        )
        shown = show(instance=token)["instance"]
        assert shown["pk"] == MASK
        hidden = dict.fromkeys(("code", "note", "public", "data"), MASK)
        assert shown["fields"] == {**hidden, "uses": 7, "made": "2026-01-02"}
        session = Session(session_key="hunter2", session_data="hunter2")
        assert "hunter2" not in json.dumps(show(instance=session))

    def test_a_password_field_is_secret(self, show: Show) -> None:
        """And the rest of the user is not."""
        fields = show(instance=User(pk=7, username="greta", password="hunter2"))["instance"]["fields"]
        assert fields["password"] == MASK
        assert fields["username"] == "greta"


class TestNamesOnly:
    def test_only_names_and_types_are_shown(self, show: Show) -> None:
        """VALUES = "names": no value of any kind."""
        named: dict[str, Any] = {
            "text": "hunter2",
            "flag": True,
            "number": 7,
            "nothing": None,
            "long": "hunter2 " * 500,
            "items": ["hunter2", 7],
            "data": {"status": "hunter2", "greta@example.com": 1},
            "instance": User(pk=7, username="hunter2"),
            "password": "hunter2",
            "model": User,
        }
        shown = show(names_only=True, **named)
        assert "hunter2" not in json.dumps(shown)
        assert {name: shown[name] for name in named if name not in ("instance", "model")} == {
            "text": "str",
            "flag": "bool",
            "number": "int",
            "nothing": None,
            "long": "str",
            "items": ["str", "int"],
            "data": {"status": "str", "str": "int"},
            "password": MASK,
        }
        assert shown["instance"]["pk"] == "int"
        assert shown["instance"]["fields"]["username"] == "str"


class TestFunction:
    """A project's own function."""

    @pytest.fixture
    def sent(self) -> Callable[[Masking], Event]:
        """The event of a send in which there is much to mask, described with this masking."""

        def refuse(sender: object, **named: Any) -> None:
            raise ValueError("no room for greta")

        def answer(sender: object, **named: Any) -> str:
            return "greta was here"

        def send(masking: Masking) -> Event:
            taken: list[capture.Send] = []
            outer, was_attached = sends.get_sink(), capture.is_attached()
            capture.set_sink(taken.append)
            capture.attach()
            try:
                signal = Signal()
                signal.connect(refuse)
                signal.connect(answer)
                signal.send_robust(
                    "a sender", customer="greta", count=7, password="hunter2", data={"to": ["greta"]}, done=True
                )
            finally:
                capture.set_sink(outer)
                if not was_attached:
                    capture.detach()
            return Describer(masking, names_only=False).event(taken[-1])

        return send

    def test_it_says_how_each_text_is_shown(self, sent: Callable[[Masking], Event]) -> None:
        """By name and text; None leaves it as it is. What has been masked already it does not see."""
        seen = []

        def function(name: str, value: str) -> str | None:
            seen.append((name, value))
            return value.replace("greta", "G.") if "greta" in value else None

        event = sent(Masking(function=function))
        assert event.kwargs == {"customer": "G.", "count": 7, "password": MASK, "data": {"to": ["G."]}, "done": True}
        assert event.receivers[0].error is not None
        assert event.receivers[0].error.message == "no room for G."
        assert event.receivers[1].returned is not None
        assert event.receivers[1].returned.value == "G. was here"
        assert ("customer", "greta") in seen
        assert ("error", "no room for greta") in seen
        assert ("returned", "greta was here") in seen
        assert "hunter2" not in str(seen)

    @pytest.mark.parametrize("wrong", [ValueError("greta"), SystemExit("greta"), 7, b"greta"])
    def test_one_that_fails_masks_everything_and_is_reported_once(
        self, wrong: Any, sent: Callable[[Masking], Event], caplog: pytest.LogCaptureFixture
    ) -> None:
        """In the events for which it fails; what the report says holds no value either."""

        def function(name: str, value: str) -> Any:
            if value != "greta":
                return None
            if isinstance(wrong, BaseException):
                raise wrong
            return wrong

        masking = Masking(function=function)
        with caplog.at_level(logging.DEBUG, "livesignals"):
            events = [sent(masking), sent(masking)]
        for event in events:
            assert b"greta" not in encode(event)
            assert event.kwargs == dict.fromkeys(event.kwargs, MASK)
            assert [call.status for call in event.receivers] == ["raised", "returned"]
        [report] = [record for record in caplog.records if record.name == "livesignals"]
        assert "MASK_FUNCTION" in report.getMessage()
        assert type(wrong).__name__ in report.getMessage()
        assert "greta" not in report.getMessage()
        assert report.exc_info is None

    @pytest.mark.parametrize(
        ("function", "shown"),
        [("privacy.mask", "••• was here"), ("privacy.broken", MASK), ("privacy.missing", MASK), ("nowhere.mask", MASK)],
    )
    def test_a_project_names_it_in_its_settings(self, function: str, shown: str, tmp_path: Path) -> None:
        """One that cannot be imported masks everything, too; the log says so, and holds no value."""
        (tmp_path / "privacy.py").write_text(PRIVACY)
        (tmp_path / "private.py").write_text(
            f"from project.settings import *\nLIVESIGNALS = {{'MASK_FUNCTION': {function!r}}}\n"
        )
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "private",
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
            "LIVESIGNALS_JOURNAL": f"sqlite:///{tmp_path / 'journal.sqlite3'}",
        }
        said = []
        for arguments in (["shell", "-v0", "-c", SEND], ["livesignals", "export", "kwargs.marker:*"]):
            done = subprocess.run(
                [sys.executable, ROOT / "project" / "manage.py", *arguments],
                env=environment, cwd=tmp_path, text=True, capture_output=True, timeout=60, check=False,
            )  # fmt: skip
            assert "Traceback" not in done.stderr
            said.append(done)
        [event] = map(json.loads, said[1].stdout.splitlines())
        assert event["kwargs"]["customer"] == shown
        assert ("MASK_FUNCTION" in said[0].stderr) is (shown == MASK)
        assert "greta" not in said[0].stderr + said[1].stdout

    def test_what_it_returns_is_bounded_and_valid(self) -> None:
        """It may return anything."""
        masking = Masking(function=lambda name, value: "\ud800" + "x" * 1_000_000)
        rendered, flags = render(freeze({"a": "b"}), masking, names_only=False)
        assert len(rendered["a"].encode()) <= 1_024
        assert flags == {"masked"}
