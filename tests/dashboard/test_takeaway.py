"""Downloads and recordings over HTTP, from a real server: who gets them, what is in them, what they cost."""

import csv
import io
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Shop
from tests.dashboard.conftest import BASE, ask, use_link
from tests.exchange.building import assert_well_formed
from tests.journal.building import Sender, make_events
from tests.processes import PATIENCE

NAME = "monday"
MIB = 2**20


@pytest.fixture(scope="module")
def cookie(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a person who may look; there is a recording of three sends, one of them with marks in its name."""
    file = tmp_path_factory.mktemp("files") / f"{NAME}.jsonl"
    shop.manage("livesignals", "export", "sender:shop.Tag", "-o", str(file))
    events = [json.dumps(json.loads(line) | {"sender": "<b>hostile</b>"}) for line in file.read_text().splitlines()[:3]]
    file.write_text("\n".join(events))
    assert len(events) == 3
    shop.manage("livesignals", "import", str(file))
    return use_link(shop)


@pytest.mark.parametrize(
    "path", ["download/", "recordings/", f"recordings/{NAME}/", f"recordings/{NAME}/download/", f"?recording={NAME}"]
)
def test_nobody_takes_anything_away_who_may_not_look(shop: Shop, cookie: str, path: str) -> None:
    """404, as everywhere; with the cookie there is an answer."""
    assert ask(shop, path).status == 404
    assert ask(shop, path, Cookie=cookie).status in (200, 302)


def test_json_lines_are_those_of_the_command_line(shop: Shop, cookie: str) -> None:
    """All, and those of a filter and range; as a file with a name."""
    answer = ask(shop, "download/?format=jsonl&filter=sender:shop.Tag", Cookie=cookie)
    assert answer.text == shop.manage("livesignals", "export", "sender:shop.Tag")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="livesignals-')
    assert answer.headers["Content-Disposition"].endswith('.jsonl"')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]

    ids = [json.loads(line)["id"] for line in answer.text.splitlines()]
    some = ask(shop, f"download/?filter=sender:shop.Tag&from={ids[1]}&to={ids[3]}", Cookie=cookie)
    assert [json.loads(line)["id"] for line in some.text.splitlines()] == ids[1:4]
    none = ask(shop, "download/?from=2100-01-01T00:00:00Z", Cookie=cookie)
    assert (none.status, none.text) == (200, "")


def test_tables_and_traces_are_whole(shop: Shop, cookie: str) -> None:
    """A trace of real sends nests, and its arrows have both ends."""
    rows = list(csv.DictReader(io.StringIO(ask(shop, "download/?format=csv", Cookie=cookie).text, newline="")))
    trace = json.loads(ask(shop, "download/?format=trace", Cookie=cookie).text)
    assert_well_formed(trace)
    drawn = [entry for entry in trace["traceEvents"] if entry["ph"] in "Xi" and entry["cat"].startswith("send")]
    assert len(drawn) == len(rows) > 100


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("format=xml", "format must be one of jsonl, csv, trace."),
        ("filter=sginal:x", "did you mean signal?"),
        ("from=yesterday", "is neither an id nor a time"),
        ("to=2026-02-30", "there is no time"),
    ],
)
def test_what_cannot_be_made_is_explained(shop: Shop, cookie: str, query: str, words: str) -> None:
    """In plain text, with status 400."""
    answer = ask(shop, f"download/?{query}", Cookie=cookie)
    assert answer.status == 400
    assert words in answer.text
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_head_request_has_the_headers_alone(shop: Shop, cookie: str) -> None:
    """As often as one likes: it takes nobody's place."""
    for _ in range(10):
        answer = ask(shop, "download/?format=trace", method="HEAD", Cookie=cookie)
        assert (answer.status, answer.text) == (200, "")
        assert answer.headers["Content-Disposition"].endswith('.trace.json"')


def test_a_recording_has_addresses_of_its_own(shop: Shop, cookie: str) -> None:
    """Its page, rows and downloads are of its events alone; marks in them are text."""
    page = ask(shop, f"recordings/{NAME}/", Cookie=cookie).text
    assert f'data-base="{BASE}recordings/{NAME}/"' in page
    assert f"Recording {NAME}: 3 sends from {NAME}.jsonl, imported" in page
    rows = ask(shop, f"recordings/{NAME}/range/?first=1&last=9", Cookie=cookie).text
    assert rows.count("<li ") == 3
    assert "&lt;b&gt;hostile&lt;/b&gt;" in rows
    assert "<b>hostile" not in rows
    lines = ask(shop, f"recordings/{NAME}/download/", Cookie=cookie)
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == [1, 2, 3]
    assert lines.headers["Content-Disposition"] == f'attachment; filename="{NAME}.jsonl"'
    assert "hostile" not in ask(shop, "download/", Cookie=cookie).text
    assert f'href="{BASE}recordings/{NAME}/"' in ask(shop, "recordings/", Cookie=cookie).text


def test_a_recording_is_found_by_its_name_in_the_query_too(shop: Shop, cookie: str) -> None:
    """The rest of the query goes along."""
    answer = ask(shop, f"?recording={NAME}&filter=is:error", Cookie=cookie)
    assert (answer.status, answer.headers["Location"]) == (302, f"{BASE}recordings/{NAME}/?filter=is%3Aerror")


@pytest.mark.parametrize("name", ["none", "..", "%2e%2e", "..%2f..", "a%00b", "monday.sqlite3", "-", "x" * 300])
def test_there_is_no_recording_of_another_name(shop: Shop, cookie: str, name: str) -> None:
    """Nor does a name lead out of the folder."""
    for path in (f"recordings/{name}/", f"recordings/{name}/download/", f"?recording={name}"):
        assert ask(shop, path, Cookie=cookie).status == 404


# What it costs

LARGE = 120 * MIB


@pytest.fixture(scope="module")
def large(shop: Shop, cookie: str) -> Iterator[str]:
    """Much history: the path of a download of 120 MB."""
    journal = shop.journal()
    sender = Sender(journal, "large")
    body = {"text": "x" * 15_000}
    for _ in range(80):
        sender.append(make_events(100, sender="large", kwargs=body))
    journal.close()
    yield f"{BASE}download/?filter=sender:large"
    shop.manage("livesignals", "prune", "--keep", "10")


class Client:
    """Asks for a download, and reads only when it is told to."""

    def __init__(self, shop: Shop, cookie: str, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", shop.port), timeout=PATIENCE)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])

    def read_all(self) -> int:
        """Read to the end of the chunks, and leave; how many bytes that was."""
        size, tail = 0, b""
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            piece = self.file.read1(MIB)
            assert piece
            size += len(piece)
            tail = (tail + piece)[-7:]
        self.leave()
        return size

    def leave(self) -> None:
        """Close the connection with much unread."""
        self.file.close()
        self.socket.close()


def test_who_reads_slowly_costs_no_memory_and_gets_everything(shop: Shop, cookie: str, large: str) -> None:
    """The server waits with the rest until there is room."""
    before = memory(shop)
    client = Client(shop, cookie, large)
    wait_until_idle(shop)
    assert memory(shop) - before < LARGE // 3
    assert client.read_all() > LARGE * 0.9


def test_who_leaves_makes_room_for_others(shop: Shop, cookie: str, large: str) -> None:
    """Four at a time are served, a fifth is told so, until one of them leaves."""
    clients = [Client(shop, cookie, large) for _ in range(4)]
    assert [client.status for client in clients] == [200] * 4
    assert ask(shop, "download/", Cookie=cookie).status == 503
    for client in clients:
        client.leave()
    deadline = time.monotonic() + PATIENCE
    while ask(shop, "download/?to=1", Cookie=cookie).status == 503:
        assert time.monotonic() < deadline


def server_pid(shop: Shop) -> int:
    assert shop.server is not None
    return shop.server.process.pid


def memory(shop: Shop) -> int:
    """What the server has in memory, in bytes."""
    pages = int(Path(f"/proc/{server_pid(shop)}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def wait_until_idle(shop: Shop) -> None:
    """Until the server has nothing to do for a while."""
    ticks, deadline = -1, time.monotonic() + 60
    while (now := used_ticks(shop)) > ticks + 5:
        assert time.monotonic() < deadline
        ticks = now
        time.sleep(1)


def used_ticks(shop: Shop) -> int:
    """Its time on the processor, in hundredths of a second."""
    fields = Path(f"/proc/{server_pid(shop)}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
