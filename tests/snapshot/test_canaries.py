"""Secrets in every place where signals carry them, and then a look everywhere for them."""

import base64
import json
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser.conftest import MANAGE, ROOT, Shop
from tests.dashboard.conftest import Socket, ask, use_link
from tests.processes import PATIENCE, Program, free_port

pytestmark = pytest.mark.timeout(240)

#: Is no secret: where this is not found, nothing was looked at.
MARKER = b"not-a-secret"
#: Places where only the surroundings tell: what is there is a word like any other.
WORDS = """
query; query of a failing view; POST of a failing view; login's pwd; login's otp; login's pin; login's code;
login's password; new user's password; old password; old name; text of a token; session data; DATABASES;
DATABASES option; CACHES; SECRET_KEY; SECRET_KEY_FALLBACKS; SENTRY_DSN; EMAIL_HOST_PASSWORD; BROKER;
settings_dict; password in a URL; password in a text; secret in JSON; secret at a cut; header in a list;
cookie in a list; URL in an exception; password in an exception; exception at a cut; returned dict;
returned pair; returned instance; environment; DATABASE_URL; Authorization; Cookie; X-Api-Key; typed password
"""
#: Places where it is known by itself: it is long and random.
TOKENS = """
primary key of a token; pk_set of tokens; session key; Authorization of a failing view; reset link; token as a
key; token in a set; token in an exception; returned text; returned at a cut; path; password hash
"""


class Canaries:
    """Secrets, each for one place."""

    def __init__(self) -> None:
        letters = "bcdfghjklmnpqrstvwxz"
        self.at = {place: "".join(secrets.choice(letters) for _ in range(14)) for place in _places(WORDS)}
        self.at |= {place: secrets.token_hex(20) for place in _places(TOKENS)}
        self.at["password hash"] = f"md5$salt${secrets.token_hex(16)}"

    def places_in(self, data: bytes) -> list[str]:
        """Of the secrets that are in *data*, also in part, in hex or in base64."""
        return [place for place, secret in self.at.items() if any(form in data for form in _forms(secret))]


def _places(listed: str) -> list[str]:
    return [" ".join(place.split()) for place in listed.split(";")]


def _forms(secret: str) -> Iterator[bytes]:
    for part in (secret[:10], secret[-10:], secret.rpartition("$")[2][:10]):
        yield part.encode()
        yield part.encode().hex().encode()
    for before in range(3):
        yield base64.b64encode(b"x" * before + secret.encode())[4:-4]


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    """The secrets of this run."""
    return Canaries()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, canaries: Canaries) -> Iterator[Shop]:
    """A shop in which secrets have been everywhere; its servers still run."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    of_all = shop.folder / "canaries.json"
    of_all.write_text(json.dumps(canaries.at))
    at = canaries.at
    shop.environment |= {
        "CANARIES": str(of_all),
        "PYTHONPATH": str(ROOT),
        "SHOP_PEPPER": at["environment"],
        "DATABASE_URL": f"postgres://shop:{at['DATABASE_URL']}@db/shop",
    }
    shop.start()
    port = free_port()
    runserver: list[str | Path] = [sys.executable, MANAGE, "runserver", "--noreload", f"127.0.0.1:{port}"]
    with Program(runserver, log=shop.folder / "runserver.log", env=shop.environment, cwd=ROOT) as program:
        program.wait_for_port(port)
        for server in (shop.port, port):  # ASGI, then WSGI
            visit(f"http://127.0.0.1:{server}", canaries)
        shop.manage("shell", "-v0", "-c", "from tests.snapshot import carrying")
        yield shop
        shop.stop()


def visit(url: str, canaries: Canaries) -> None:
    """What people send to a site: headers, cookies, queries, forms, links from mails."""
    at = canaries.at
    headers = {"Authorization": f"Basic {at['Authorization']}", "X-Api-Key": at["X-Api-Key"]}
    cookies = {"sessionid": at["Cookie"], "remember": at["Cookie"]}
    with httpx.Client(base_url=url, timeout=PATIENCE, headers=headers, cookies=cookies) as client:
        client.get(f"/?q={MARKER.decode()}&token={at['query']}&next={at['query']}")
        client.get("/broken/", params={"code": at["query"]})
        client.get(f"/reset/MQ/c1xm3f-{at['path'][:32]}/")
        client.get(f"/invited/{at['path']}/")
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        client.get("/login/")
        form = {"username": "customer1", "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        client.post("/login/", data={**form, "password": at["typed password"]})
        client.post("/login/", data={**form, "password": "demo"})
        canaries.at[f"session of {url}"] = client.cookies["sessionid"]
        canaries.at[f"CSRF cookie of {url}"] = client.cookies["csrftoken"]


class TestWhatIsWritten:
    def test_the_journal_holds_no_secret(self, shop: Shop, canaries: Canaries) -> None:
        """Not in any byte of the file or of what SQLite keeps beside it."""
        files = sorted(shop.folder.glob("journal.sqlite3*"))
        assert len(files) > 1
        data = b"".join(path.read_bytes() for path in files)
        assert MARKER in data
        assert canaries.places_in(data) == []

    def test_the_logs_hold_no_secret(self, shop: Shop, canaries: Canaries) -> None:
        """But in the lines where Django itself writes down each request."""
        for name in ("server.log", "runserver.log"):
            log = (shop.folder / name).read_bytes()
            ours = b"\n".join(line for line in log.split(b"\n") if not re.match(rb'(\[.*\] )?"\w+ /', line))
            assert ours
            assert canaries.places_in(ours) == [], ours.decode()


class TestWhatIsPrinted:
    @pytest.mark.parametrize(
        "command", ["tail --since start --no-follow", "tail --json --since start --no-follow", "export", "doctor"]
    )
    def test_no_command_prints_a_secret(self, command: str, shop: Shop, canaries: Canaries) -> None:
        """All events there are."""
        printed = shop.manage("livesignals", *command.split()).encode()
        assert b"carrying.happened" in printed or command == "doctor"
        assert canaries.places_in(printed) == []

    def test_every_kind_of_send_was_among_them(self, shop: Shop) -> None:
        """Else nothing could have leaked."""
        events = [json.loads(line) for line in shop.manage("livesignals", "export").splitlines()]
        signals = {event["signal"].rpartition(".")[2] for event in events}
        assert signals >= {
            "request_started", "got_request_exception", "user_login_failed", "user_logged_in", "setting_changed",
            "connection_created", "post_save", "m2m_changed", "happened",
        }  # fmt: skip
        started = [event["kwargs"] for event in events if event["signal"].endswith("request_started")]
        assert any("environ" in kwargs for kwargs in started)
        assert any("scope" in kwargs for kwargs in started)
        senders = {event["sender"] for event in events if event["signal"].endswith("happened")}
        assert senders >= {"meta", "settings", "values", "receivers", "shop.AuthToken"}


@pytest.fixture(scope="module")
def cookie(shop: Shop) -> str:
    """Of a person who may look."""
    return use_link(shop)


class TestWhatIsShown:
    def test_the_pages_show_no_secret(self, shop: Shop, canaries: Canaries, cookie: str) -> None:
        """The dashboard, each range of rows, and the detail of each event."""
        bounds = shop.journal().bounds()
        addresses = [
            "",
            *(f"range/?first={first}&last={first + 99}" for first in range(bounds.first, bounds.last + 1, 100)),
            *(f"events/{bounds.epoch}/{number}/" for number in range(bounds.first, bounds.last + 1)),
        ]
        shown = "".join(ask(shop, address, Cookie=cookie).text for address in addresses).encode()
        assert shown.count(MARKER) > 2
        assert canaries.places_in(shown) == []

    def test_the_socket_sends_no_secret(self, shop: Shop, canaries: Canaries, cookie: str) -> None:
        """The newest events, and those of each filter."""
        frames = []
        with Socket(shop, cookie) as socket:
            socket.say("hello")
            frames.append(json.dumps(socket.next("rows")))
            for chosen in (
                "signal:happened",
                "signal:setting_changed",
                "family:auth",
                "is:error",
                "sender:shop.*",
                "is:masked",
            ):
                socket.say("filter", filter=chosen)
                frames.append(json.dumps(socket.next("rows")))
            sent = "".join(frames).encode()
            assert MARKER in sent
            assert canaries.places_in(sent) == []
