"""Who gets in, by HTTP and by WebSocket, and that nobody else learns that there is anything."""

import asyncio
import socket as sockets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from channels.testing import HttpCommunicator, WebsocketCommunicator
from django.core.management import CommandError, call_command
from django.http import HttpRequest
from django.test import override_settings
from websockets.exceptions import InvalidStatus

from livesignals import mount
from livesignals.dashboard.access import OneTimeLinks
from livesignals.dashboard.asgi import Dashboard
from tests.browser.conftest import MANAGE, ROOT, Shop
from tests.dashboard.conftest import BASE, Answer, Socket, ask, log_in, log_out, use_link
from tests.processes import PATIENCE, Program

PATHS = [
    "",
    "events/x/1/",
    "events/x/1/branch/",
    "causes/x/1/",
    "range/?first=1&last=9",
    "static/livesignals/css/page.css",
    "socket/",
    "nothing/",
]

#: Superusers; a clerk (staff) and customers are in the shop already.
PEOPLE = """
from django.contrib.auth.models import User
for name in ("stays", "leaves", "inactive", "demoted", "renewed"):
    User.objects.create_superuser(name, password="demo")
"""
CHANGES = """
from django.contrib.auth.models import User
User.objects.filter(username="inactive").update(is_active=False)
User.objects.filter(username="demoted").update(is_superuser=False)
renewed = User.objects.get(username="renewed")
renewed.set_password("another")
renewed.save()
"""


@pytest.fixture(scope="module")
def link_cookie(shop: Shop) -> str:
    """The cookie of a person who opened a printed link."""
    return use_link(shop)


@pytest.fixture(scope="module")
def session_of(shop: Shop) -> Callable[[str], str]:
    """Logs someone in at the shop; the session's cookie."""
    shop.manage("shell", "-c", PEOPLE)
    return lambda name: log_in(shop, name, "demo")


@contextmanager
def refused() -> Iterator[None]:
    """The handshake fails: 403 is what daphne makes of our refusal, 400 its own of an Origin that is none."""
    with pytest.raises(InvalidStatus) as caught:
        yield
    assert caught.value.response.status_code in (400, 403)


class TestOneTimeLinks:
    def test_a_link_lets_in_who_opens_it_first_and_no_one_after(self, shop: Shop) -> None:
        """It gives a cookie that no script reads and no other site sends, and an address without the token."""
        path = shop.link().removeprefix(shop.url)
        first, second = ask(shop, path), ask(shop, path)
        assert (first.status, first.headers["Location"]) == (302, BASE)
        cookie, *attributes = first.headers["Set-Cookie"].split("; ")
        assert {"HttpOnly", "SameSite=Strict", f"Path={BASE.rstrip('/')}"} <= set(attributes)
        assert ask(shop, "", Cookie=cookie).status == 200
        assert second.status == 404
        assert "Set-Cookie" not in second.headers

    def test_the_next_link_is_printed_once_one_was_used(self, shop: Shop) -> None:
        """There is always one that works."""
        used = shop.link()
        use_link(shop)
        assert shop.link() != used
        use_link(shop)

    @pytest.mark.parametrize("token", ["wrong", "", "%ff", "%00", "a" * 5_000])
    def test_a_wrong_token_opens_nothing_and_uses_nothing_up(self, shop: Shop, token: str) -> None:
        """Not even one that is no text at all."""
        link = shop.link()
        answer = ask(shop, f"?token={token}")
        assert answer.status == 404
        assert "Set-Cookie" not in answer.headers
        assert shop.link() == link

    def test_whoever_only_looks_whether_something_is_there_uses_no_link_up(self, shop: Shop) -> None:
        """A chat that asks for the HEAD of what was pasted into it; the person who then opens the link gets in."""
        link = shop.link()
        answer = ask(shop, link.removeprefix(shop.url), method="HEAD")
        assert (answer.status, answer.headers.get("Set-Cookie")) == (404, None)
        assert shop.link() == link
        assert use_link(shop)

    def test_who_is_in_already_uses_no_link_up(self, shop: Shop, link_cookie: str) -> None:
        """Opening the link twice in the same browser is no mistake."""
        link = shop.link()
        assert ask(shop, link.removeprefix(shop.url), Cookie=link_cookie).status == 302
        assert shop.link() == link

    def test_a_token_opens_the_page_and_no_other_address(self, shop: Shop) -> None:
        """An asset or event with the token in its address is not found, and the link still works."""
        query = shop.link().partition("?")[2]
        assert ask(shop, f"static/livesignals/css/page.css?{query}").status == 404
        assert shop.link().endswith(query)

    def test_the_cookie_outlives_a_restart_of_the_server(self, shop: Shop, link_cookie: str) -> None:
        """The link of the server before does not."""
        link = shop.link()
        shop.stop()
        shop.start()
        assert ask(shop, "", Cookie=link_cookie).status == 200
        assert ask(shop, link.removeprefix(shop.url)).status == 404

    @pytest.mark.parametrize("change", ["granted", "granted:1:x", "{}x", "x{}"])
    def test_a_cookie_that_the_server_did_not_sign_is_worth_nothing(
        self, shop: Shop, link_cookie: str, change: str
    ) -> None:
        """Made up, or the right one with a letter changed."""
        name, value = link_cookie.split("=", 1)
        assert ask(shop, "", Cookie=f"{name}={change.format(value)}").status == 404


class TestEverybodyElse:
    @pytest.mark.parametrize("path", PATHS)
    def test_nothing_is_found_without_access(self, shop: Shop, path: str) -> None:
        """Page, event, range, assets and socket answer as an address that does not exist."""
        answer = ask(shop, path)
        assert answer.status == 404
        assert answer.text == ask(shop, "nothing/at/all/").text

    @pytest.mark.parametrize("name", ["clerk", "customer1"])
    def test_nothing_is_found_by_who_is_no_superuser(
        self, shop: Shop, session_of: Callable[[str], str], name: str
    ) -> None:
        """Neither by staff nor by a customer, though both are logged in."""
        cookie = session_of(name)
        assert {path: ask(shop, path, Cookie=cookie).status for path in PATHS} == dict.fromkeys(PATHS, 404)
        with refused(), Socket(shop, cookie):
            pass

    @pytest.mark.parametrize("cookie", ["", "sessionid=of0no0session0at0all0000000000", "livesignals_1=granted"])
    def test_the_socket_is_refused_without_access(self, shop: Shop, cookie: str) -> None:
        """Before it is open, so that not one message is sent."""
        with refused(), Socket(shop, cookie):
            pass


class TestSuperusers:
    def test_a_superuser_of_the_project_gets_in_without_a_link(
        self, shop: Shop, session_of: Callable[[str], str]
    ) -> None:
        """By the session of the project's own login: page and socket."""
        cookie = session_of("stays")
        assert ask(shop, "", Cookie=cookie).status == 200
        with Socket(shop, cookie) as socket:
            socket.hello()
            socket.expect_rows()

    def test_who_loses_access_loses_the_open_socket(
        self, shop: Shop, session_of: Callable[[str], str], link_cookie: str
    ) -> None:
        """By logging out, and by being made inactive, no superuser or given another password; others stay."""
        cookies = {name: session_of(name) for name in ("leaves", "inactive", "demoted", "renewed", "stays")}
        with ExitStack() as stack:
            sockets = {
                name: stack.enter_context(Socket(shop, cookie))
                for name, cookie in {**cookies, "link": link_cookie}.items()
            }
            for socket in sockets.values():
                socket.hello()
            log_out(shop, cookies["leaves"])
            shop.manage("shell", "-c", CHANGES)
            for name in ("leaves", "inactive", "demoted", "renewed"):
                assert (name, sockets[name].closed_with()) == (name, 4401)
                assert ask(shop, "", Cookie=cookies[name]).status == 404
            for name in ("stays", "link"):
                sockets[name].expect_rows()


class TestHosts:
    """Where links are printed, the names are those of this machine, whatever ALLOWED_HOSTS says."""

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
    def test_the_names_of_this_machine_are_known(self, shop: Shop, link_cookie: str, host: str) -> None:
        """With any port: a tunnel may have another."""
        assert ask(shop, "", Host=f"{host}:{shop.port}", Cookie=link_cookie).status == 200
        assert ask(shop, "", Host=f"{host}:1", Cookie=link_cookie).status == 200

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""])
    def test_a_name_that_somebody_else_points_here_is_not(
        self, shop: Shop, link_cookie: str, session_of: Callable[[str], str], host: str
    ) -> None:
        """Neither cookie opens anything there, and the link is not even used up."""
        link = shop.link()
        named = f"{host}:{shop.port}"
        assert ask(shop, "", Host=named, Cookie=link_cookie).status == 404
        assert ask(shop, "", Host=named, Cookie=session_of("stays")).status == 404
        assert ask(shop, link.removeprefix(shop.url), Host=named).status == 404
        assert shop.link() == link


class Sidecar(Shop):
    """``livesignals serve`` for other machines too; 127.0.0.2 is an address of this one that others could reach."""

    base = "/"
    hosts = "shop.example .example.net"

    def start(self) -> None:
        serve = [sys.executable, str(MANAGE), "livesignals", "serve", "--host", "0.0.0.0", "--port", str(self.port)]
        environment = {**self.environment, "SHOP_HOSTS": self.hosts}
        self.server = Program(serve, log=self.folder / "sidecar.log", env=environment, cwd=ROOT)
        self.server.wait_for_output("livesignals: ")

    def link(self) -> str:
        assert self.server is not None
        return self.server.output().rpartition("livesignals: ")[2].split()[0]


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    sidecar = Sidecar(tmp_path_factory.mktemp("sidecar"))
    sidecar.start()
    yield sidecar
    sidecar.stop()


@pytest.fixture(scope="module")
def colleague(sidecar: Sidecar) -> str:
    """The cookie of somebody at another machine, who was sent the printed link."""
    link = urlsplit(sidecar.link())
    assert link.hostname not in (None, "0.0.0.0", "127.0.0.1", "localhost")
    answer = ask(sidecar, f"/?{link.query}", at=str(link.hostname), Host=link.netloc)
    assert (answer.status, answer.headers["Location"]) == (302, "/")
    return answer.headers["Set-Cookie"].split(";")[0]


class TestOtherMachines:
    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.2",
            "localhost",
            sockets.gethostname(),
            sockets.gethostname().upper(),
            f"{sockets.gethostname().partition('.')[0]}.local",
            "shop.example",
            "any.example.net",
        ],
    )
    def test_a_server_for_all_answers_at_the_machine_s_addresses_and_names(
        self, sidecar: Sidecar, colleague: str, host: str
    ) -> None:
        """And at those that the project allows; the page's socket too."""
        named = f"{host}:{sidecar.port}"
        assert ask(sidecar, "", at="127.0.0.2", Host=named, Cookie=colleague).status == 200
        if host != "127.0.0.2":  # the test's socket comes from 127.0.0.1
            with Socket(sidecar, colleague, host=named, origin=f"http://{named}") as socket:
                socket.hello()

    @pytest.mark.parametrize(
        "host", ["evil.example", "127.0.0.2.evil.example", "127.0.0.3", "0.0.0.0", "[::2]", "shop.example.evil.net", ""]
    )
    def test_another_name_is_refused_with_what_to_do(self, sidecar: Sidecar, colleague: str, host: str) -> None:
        """Somebody else's DNS may have pointed it here: the link is not used up either."""
        link, named = sidecar.link(), f"{host}:{sidecar.port}"
        for path in ("", f"?{urlsplit(link).query}", "health"):
            answer = ask(sidecar, path, at="127.0.0.2", Host=named, Cookie=colleague)
            assert answer.status == 404
            assert "ALLOWED_HOSTS" in answer.text
        assert sidecar.link() == link
        with refused(), Socket(sidecar, colleague, host=named if host else "evil.example", origin=f"http://{named}"):
            pass

    def test_one_that_allows_all_hosts_answers_at_its_own_all_the_same(self) -> None:
        """The "*" of a project says nothing about where its developer's server is to be had."""
        dashboard = mount(project_page, "/signals/")
        dashboard.links = OneTimeLinks("http://testserver/signals/", "livesignals", lambda link: None)
        with override_settings(LIVESIGNALS={"ENABLED": True, "ACCESS": HAS_THE_KEY}, ALLOWED_HOSTS=["*"]):
            assert status_of(dashboard, Host="testserver", **KEY) == 200
            assert status_of(dashboard, Host="evil.example", **KEY) == 404


class TestOrigins:
    def test_the_page_s_own_origin_opens_a_socket(self, shop: Shop, link_cookie: str) -> None:
        """Under each name that the page has."""
        for host in (f"127.0.0.1:{shop.port}", f"localhost:{shop.port}"):
            with Socket(shop, link_cookie, host=host, origin=f"http://{host}") as socket:
                socket.hello()

    @pytest.mark.parametrize(
        "origin",
        [
            "http://127.0.0.1:1",
            "http://127.0.0.1",
            "https://127.0.0.1:{port}",
            "ws://127.0.0.1:{port}",
            "http://localhost:{port}",
            "http://evil.example",
            "http://evil.example:{port}",
            "http://127.0.0.1:{port}.evil.example",
            "http://127.0.0.1:{port}@evil.example",
            "null",
            None,
        ],
    )
    def test_no_other_page_opens_a_socket(self, shop: Shop, link_cookie: str, origin: str | None) -> None:
        """Another port, scheme or host, an opaque origin, none at all: refused, in spite of the right cookie."""
        named = origin.format(port=shop.port) if origin else origin
        with refused(), Socket(shop, link_cookie, origin=named):
            pass


class TestAnswers:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("", 200),
            ("static/livesignals/css/page.css", 200),
            ("range/?first=1&last=9", 200),
            ("range/?first=1&last=9&filter=((", 400),
            ("range/?first=one", 400),
            ("events/of-another-life/1/", 404),
            ("nothing/", 404),
            ("?token=used", 302),
        ],
    )
    def test_every_answer_carries_the_strict_policy(self, shop: Shop, link_cookie: str, path: str, status: int) -> None:
        """Nothing but the dashboard's own files is loaded, run, connected to; nothing inline, no eval, no frames."""
        assert_strict(ask(shop, path, Cookie=link_cookie), status)
        assert_strict(ask(shop, path), 404)

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
    def test_nothing_can_be_changed(self, shop: Shop, link_cookie: str, method: str) -> None:
        """The dashboard only shows: every method that could change something is refused."""
        for path in PATHS:
            answer = ask(shop, path, method=method, Cookie=link_cookie)
            assert_strict(answer, 405)
            assert answer.headers["Allow"] == "GET, HEAD"

    def test_head_is_get_without_the_body(self, shop: Shop, link_cookie: str) -> None:
        """With the same length told."""
        path = "static/livesignals/css/page.css"
        head, get = (ask(shop, path, method=method, Cookie=link_cookie) for method in ("HEAD", "GET"))
        assert (head.status, head.text) == (200, "")
        assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.text.encode()))

    @pytest.mark.parametrize(
        "path",
        [
            "static/../pyproject.toml",
            "static/livesignals/../../pyproject.toml",
            "static/livesignals/%2e%2e/%2e%2e/pyproject.toml",
            "static/livesignals/..%2f..%2fpyproject.toml",
            "static/livesignals/%252e%252e/%252e%252e/pyproject.toml",
            "static/livesignals/..%5c..%5cpyproject.toml",
            "static//etc/passwd",
            "static/livesignals//etc/passwd",
            "static/livesignals/%00",
            "static/livesignals/",
            "static/livesignals/css/",
            "static/livesignals/" + "a" * 5_000,
        ],
    )
    def test_no_file_but_the_dashboard_s_own_is_served(self, shop: Shop, link_cookie: str, path: str) -> None:
        """Whatever the path says, and however it is written; no folder is listed."""
        assert_strict(ask(shop, path, Cookie=link_cookie), 404)

    @pytest.mark.parametrize(
        "path",
        [
            "?" + "&".join(["a=1"] * 1_200),
            "events/{epoch}/99999999999999999999999/",
            "events/{epoch}/0/",
            "events/%00/1/",
            "range/?first=-99999999999999999999999&last=99999999999999999999999",
            "range/?first=99999999999999999999999&last=99999999999999999999999",
            "range/?first=1&last=2&filter=%ED%A0%80",
            "range/?first=1&last=2&filter=" + "(" * 2_000,
            "range/?first=1&last=2&filter=id>99999999999999999999999",
        ],
    )
    def test_an_odd_request_is_answered_and_not_an_error_of_the_server(
        self, shop: Shop, link_cookie: str, path: str
    ) -> None:
        """Numbers beyond any id, more parameters than Django takes, what is no text."""
        path = path.format(epoch=shop.journal().bounds().epoch)
        for cookie in (link_cookie, "", "sessionid=\xff\xfe"):
            answer = ask(shop, path, Cookie=cookie)
            assert_strict(answer, answer.status)
            assert answer.status in ((200, 400, 404) if cookie == link_cookie else (404,))

    def test_the_server_had_nothing_to_complain_about(self, shop: Shop) -> None:
        """None of what these tests asked for left a traceback in its log."""
        assert shop.server is not None
        assert "Traceback" not in shop.server.output()


POLICY = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'", "data:"},
    "connect-src": {"'self'"},
    "base-uri": {"'none'"},
    "form-action": {"'self'"},
    "frame-ancestors": {"'none'"},
}


def assert_strict(answer: Answer, status: int) -> None:
    """The answer has this status, and the headers that each has."""
    directives = [directive.split() for directive in answer.headers["Content-Security-Policy"].split(";")]
    assert {name: set(sources) for name, *sources in directives} == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.status == status


def has_the_key(request: HttpRequest) -> bool:
    """An ACCESS rule of a project."""
    return request.headers.get("X-Key") == "right"


def fails(request: HttpRequest) -> bool:
    """An ACCESS rule with a fault in it."""
    raise ZeroDivisionError


HAS_THE_KEY = f"{__name__}.{has_the_key.__name__}"
FAILS = f"{__name__}.{fails.__name__}"
KEY = {"X-Key": "right"}


class TestSettings:
    """The dashboard mounted into an ASGI application, as a project's settings have it."""

    @pytest.fixture
    def dashboard(self) -> Dashboard:
        return mount(project_page, "/signals/")

    def test_access_names_who_may_look(self, dashboard: Dashboard) -> None:
        """A function of the project, asked with the request: about the page and about the socket."""
        with override_settings(LIVESIGNALS={"ENABLED": True, "JOURNAL": "memory:", "ACCESS": HAS_THE_KEY}):
            assert status_of(dashboard, **KEY) == 200
            assert status_of(dashboard) == 404
            assert opens_a_socket(dashboard, **KEY)
            assert not opens_a_socket(dashboard)

    @pytest.mark.parametrize("access", [FAILS, f"{__name__}.nobody", "token"])
    def test_nobody_may_look_while_nobody_can_tell_who_may(self, dashboard: Dashboard, access: str) -> None:
        """A rule that fails, one that is not there, and links where none are printed: not found, no socket."""
        with override_settings(LIVESIGNALS={"ENABLED": True, "ACCESS": access}):
            assert status_of(dashboard, **KEY) == 404
            assert not opens_a_socket(dashboard, **KEY)

    @pytest.mark.parametrize(
        "settings",
        [{"ENABLED": False}, {}, {"ENABLE": True}, {"ENABLED": "yes"}],
        ids=["switched off", "without DEBUG", "misspelt", "of a wrong type"],
    )
    def test_a_dashboard_that_is_off_is_not_found(self, dashboard: Dashboard, settings: dict[str, Any]) -> None:
        """Not even by who has the key or a link; the rest of the site goes on."""
        dashboard.links = OneTimeLinks("http://testserver/signals/", "livesignals", lambda link: None)
        path = dashboard.links.link.removeprefix("http://testserver")
        with override_settings(DEBUG=False, LIVESIGNALS={"ACCESS": HAS_THE_KEY, **settings}):
            assert status_of(dashboard, **KEY) == 404
            assert status_of(dashboard, path) == 404
            assert not opens_a_socket(dashboard, **KEY)
            assert status_of(dashboard, "/elsewhere/") == 204
        assert dashboard.links.link.endswith(path)

    def test_the_prefix_without_its_slash_leads_to_the_page(self, dashboard: Dashboard) -> None:
        """Who may look, with the filter that the address has; to others the site says what it says to that path."""
        with override_settings(LIVESIGNALS={"ENABLED": True, "JOURNAL": "memory:", "ACCESS": HAS_THE_KEY}):
            answer = answer_of(dashboard, "/signals?filter=is:error", **KEY)
            location = dict(answer["headers"])[b"location"]
            assert (answer["status"], location) == (302, b"/signals/?filter=is:error")
            assert status_of(dashboard, "/signals", "HEAD", **KEY) == 302
            assert status_of(dashboard, "/signals") == 204
            assert status_of(dashboard, "/signals", "POST", **KEY) == 204
            assert status_of(dashboard, "/signals", Host="evil.example", **KEY) == 204

    def test_the_sidecar_does_not_start_when_livesignals_is_off(self) -> None:
        """It says what to set."""
        with (
            override_settings(DEBUG=False, LIVESIGNALS={}),
            pytest.raises(CommandError, match="ENABLED"),
        ):
            call_command("livesignals", "serve")

    def test_without_links_the_project_s_allowed_hosts_are_the_names(self, dashboard: Dashboard) -> None:
        """As for every other page of the site."""
        with override_settings(LIVESIGNALS={"ENABLED": True, "ACCESS": HAS_THE_KEY}, ALLOWED_HOSTS=["shop.example"]):
            assert status_of(dashboard, Host="shop.example", **KEY) == 200
            assert status_of(dashboard, Host="evil.example", **KEY) == 404
            assert not opens_a_socket(dashboard, Host="evil.example", Origin="http://evil.example", **KEY)

    def test_a_socket_needs_its_page_s_origin_whatever_hosts_are_allowed(self, dashboard: Dashboard) -> None:
        """With ALLOWED_HOSTS = ["*"] too."""
        with override_settings(
            LIVESIGNALS={"ENABLED": True, "JOURNAL": "memory:", "ACCESS": HAS_THE_KEY}, ALLOWED_HOSTS=["*"]
        ):
            assert opens_a_socket(dashboard, Host="shop.example", Origin="http://shop.example", **KEY)
            assert not opens_a_socket(dashboard, Host="shop.example", Origin="http://evil.example", **KEY)

    def test_behind_a_proxy_the_scheme_is_the_one_that_the_browser_used(self, dashboard: Dashboard) -> None:
        """As Django's SECURE_PROXY_SSL_HEADER tells it."""
        with override_settings(
            LIVESIGNALS={"ENABLED": True, "JOURNAL": "memory:", "ACCESS": HAS_THE_KEY},
            SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
        ):
            proxied = {"X-Forwarded-Proto": "https", **KEY}
            assert opens_a_socket(dashboard, Origin="https://testserver", **proxied)
            assert not opens_a_socket(dashboard, Origin="http://testserver", **proxied)


async def project_page(scope: Any, receive: Any, send: Any) -> None:
    """The rest of the site."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def answer_of(dashboard: Dashboard, path: str = "/signals/", method: str = "GET", **headers: str) -> dict[str, Any]:
    """What a request is answered."""

    async def ask() -> dict[str, Any]:
        request = HttpCommunicator(dashboard, method, path, headers=encoded({"Host": "testserver", **headers}))
        return dict(await request.get_response(timeout=PATIENCE))

    return asyncio.run(ask())


def status_of(dashboard: Dashboard, path: str = "/signals/", method: str = "GET", **headers: str) -> int:
    return int(answer_of(dashboard, path, method, **headers)["status"])


def opens_a_socket(dashboard: Dashboard, **headers: str) -> bool:
    """Whether the page's socket is accepted, by default from the page itself."""

    async def open_and_close() -> bool:
        named = {"Host": "testserver", "Origin": "http://testserver", **headers}
        socket = WebsocketCommunicator(dashboard, "/signals/socket/", headers=encoded(named))
        is_accepted, _ = await socket.connect(timeout=PATIENCE)
        if is_accepted:
            await socket.disconnect()
        return bool(is_accepted)

    return asyncio.run(open_and_close())


def encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
