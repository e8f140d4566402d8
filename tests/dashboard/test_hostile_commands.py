"""Whatever a page says to the server: it is answered, the socket stays open and rows still come."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from livesignals.filters import parse
from livesignals.transport.consumer import FRAMES_IN_FLIGHT, MAX_COMMAND_CHARS
from tests.browser.conftest import Shop
from tests.dashboard.conftest import Socket, ask, use_link
from tests.processes import PATIENCE

DEEP = 7_000


@pytest.fixture(scope="module")
def cookie(shop: Shop) -> Iterator[str]:
    """The cookie of a person who opened a printed link. After all tests the server's log has no traceback."""
    yield use_link(shop)
    time.sleep(1.5)  # daphne looks once a second for what ended with an error
    assert shop.server is not None
    assert "Traceback" not in shop.server.output()


@pytest.fixture
def socket(shop: Shop, cookie: str) -> Iterator[Socket]:
    """A page that is open; afterwards it still is, and gets rows."""
    with Socket(shop, cookie) as socket:
        socket.hello()
        yield socket
        socket.say("filter", filter="")
        socket.expect_rows()


@pytest.fixture(scope="module")
def epoch(shop: Shop) -> str:
    return shop.journal().bounds().epoch


NO_COMMANDS = {
    "nothing": "",
    "no JSON": "hello",
    "half of a command": '{"type":"hel',
    "HTML": "<script>alert(1)</script>",
    "a number": "7",
    "null": "null",
    "a text": '"hello"',
    "a list": '[{"type":"hello"}]',
    "an object without a type": "{}",
    "a type of a wrong type": '{"type":7}',
    "an unknown type": '{"type":"drop"}',
    "a type that is a method": '{"type":"__init__"}',
    "a type of another layer": '{"type":"livesignals.batch"}',
    "a filter of a wrong type": '{"type":"filter","filter":["a"]}',
    "an id of a wrong type": '{"type":"hello","epoch":"x","id":"7"}',
    "an id that is no integer": '{"type":"hello","epoch":"x","id":7.5}',
    "an id that is infinite": '{"type":"hello","epoch":"x","id":1e999}',
    "a frame with thousands of digits": '{"type":"ack","frame":' + "9" * 5_000 + "}",
    "half a character": '{"type":"filter","filter":"\\ud800"}',
    "a deep list": "[" * DEEP + "]" * DEEP,
    "a megabyte": "x" * 1_000_000,
    "a megabyte of JSON": json.dumps({"type": "filter", "filter": "x" * 1_000_000}),
}
NO_TEXT = {
    "no bytes": b"",
    "bytes that are no text": b"\xff\xfe\x00",
    "NUL": b"\x00" * 100,
    "msgpack": b"\x81\xa4type\xa5hello",
}


@pytest.mark.parametrize("said", [*NO_COMMANDS.values(), *NO_TEXT.values()], ids=[*NO_COMMANDS, *NO_TEXT])
def test_what_is_no_command_is_answered_with_an_error(socket: Socket, said: str | bytes) -> None:
    """It says what is wrong in a line, and does not repeat what was sent."""
    socket.connection.send(said)
    error = socket.next("error")
    assert error["of"] == "command"
    assert 0 < len(error["message"]) < 200


def test_an_unknown_command_is_told_which_there_are(socket: Socket) -> None:
    """The error names the command and those that exist."""
    socket.say("reload")
    error = socket.next("error")
    assert "'reload'" in error["message"]
    assert error["expected"].startswith("one of hello, ack, filter, pause, resume")


@pytest.mark.parametrize("nesting", ["[", '{"a":'], ids=["lists", "objects"])
def test_depth_beside_a_command_does_no_harm(socket: Socket, nesting: str) -> None:
    """However deep a value is that nobody asked for: the command is carried out, or refused with an error."""
    depth = DEEP // len(nesting)
    nested = nesting * depth + "1" + {"[": "]", '{"a":': "}"}[nesting] * depth
    said = f'{{"type":"filter","filter":"depth","headers":{nested}}}'
    assert len(said) <= MAX_COMMAND_CHARS
    socket.connection.send(said)
    answer = socket.next("filter", "error")
    assert answer.get("filter") == "depth" or answer["message"].startswith("not understood")
    socket.say("filter", filter="after it")
    assert socket.next("filter")["filter"] == "after it"


def test_a_binary_message_with_a_command_is_a_command(socket: Socket) -> None:
    """Text and bytes are read alike."""
    socket.connection.send(b'{"type":"filter","filter":"sender:shop.*"}')
    assert socket.next("filter")["filter"] == "sender:shop.*"


FILTERS: dict[str, tuple[str, int | None]] = {
    "unfinished": ("signal:", 8),
    "an unknown field": ("sginal:post_save", 1),
    "a quote that is never closed": ('sender:"shop', 8),
    "too long": ("a" * 5_000, 2_049),
    "too many terms": ("a " * 129, 257),
    "too deep": ("(" * 17 + "a" + ")" * 17, 1),
    "a thousand parentheses": ("(" * 1_000 + "a" + ")" * 1_000, None),
    "nothing but parentheses": ("(" * 2_048, 2_049),
    "nothing but NOT": ("NOT " * 512, None),
    "a number that is too large": ("dur>" + "9" * 400 + "ms", 5),
    "a time that is none": ("ts>" + "9" * 50, 4),
    "NUL in a key": ("kwargs.\0:1", None),
    "SQL": ("'; DROP TABLE events; --:", None),
}


@pytest.mark.parametrize(("filter", "column"), FILTERS.values(), ids=FILTERS)
def test_a_broken_filter_is_answered_with_its_column_and_the_last_one_stays(
    socket: Socket, shop: Shop, filter: str, column: int | None
) -> None:
    """What was shown before goes on to be shown."""
    socket.say("filter", filter="signal:request_started")
    socket.next_reset()
    socket.say("filter", filter=filter)
    error = socket.next("error")
    assert error["of"] == "filter"
    assert error["expected"]
    assert error["column"] == column if column else error["column"] >= 1
    assert ask(shop, "/the-filter-stayed/").status == 404
    rows = ""
    while "/the-filter-stayed/" not in rows:
        rows = socket.next("rows")["content"]
    assert 'data-signal="django.core.signals.request_started"' in rows
    assert 'data-signal="django.core.signals.request_finished"' not in rows


@pytest.mark.parametrize(
    "filter",
    [
        "\0",
        "id>99999999999999999999999999",
        "pid:-99999999999999999999999999",
        "kwargs.a.b.c>99999999999999999999999999",
        "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        "sender:" + "?*" * 500,
        "\U0001f980 OR \u202e",
        "%' OR '_%' OR \\",
    ],
)
def test_an_odd_filter_is_a_filter(socket: Socket, filter: str) -> None:
    """It is taken, matches what it matches, and the server has its answer at once."""
    socket.say("filter", filter=filter)
    assert socket.next("filter")["filter"] == filter.strip()
    socket.next_reset()


ASKED = {
    "a column before the text": {"type": "complete", "filter": "sig", "column": -7},
    "a column after the text": {"type": "complete", "filter": "sig", "column": 10**12},
    "a text that is no filter": {"type": "complete", "filter": "(((" * 500, "column": 1_501},
    "a long name": {"type": "complete", "filter": "a" * 10_000, "column": 10_001},
    "a path of keys": {"type": "complete", "filter": "kwargs" + ".a" * 1_000 + ":", "column": 2_008},
    "no such field": {"type": "narrow", "field": "drop table", "value": "x"},
    "a field that is a term": {"type": "narrow", "field": "a:b OR c", "value": "x"},
    "no such operator": {"type": "narrow", "field": "sender", "value": "x", "operator": " OR is:error "},
    "a value that is a filter": {"type": "narrow", "field": "sender", "value": '" OR is:error OR "'},
    "a value that is too long": {"type": "narrow", "field": "sender", "value": "x" * 10_000},
    "half a character": {"type": "narrow", "field": "sender", "value": "\0\u2028"},
    "a filter that is none": {"type": "narrow", "filter": "(((", "field": "sender", "value": "x"},
    "from before the beginning": {"type": "more", "epoch": "x", "id": -(10**15)},
    "facets twice": {"type": "facets", "open": True},
    "no search to stop": {"type": "stop"},
}


@pytest.mark.parametrize("said", ASKED.values(), ids=ASKED)
def test_what_is_asked_while_narrowing_does_no_harm(socket: Socket, said: dict[str, object]) -> None:
    """It is answered, or left out; a term that is added is one term, whatever its value holds."""
    for _ in range(3):
        socket.connection.send(json.dumps(said))
    answers = {"complete": "completions", "narrow": "narrowed"}
    if said["type"] in answers:
        answer = socket.next(answers[str(said["type"])], "error")
        if answer["type"] == "narrowed":
            assert parse(answer["filter"]).english().startswith("the sender is ")
            assert " or " not in parse(answer["filter"]).english().replace(str(said["value"]).lower(), "")
    socket.say("facets", open=False)


def test_thousands_of_filters_at_once_cost_little_and_the_last_that_is_heard_counts(socket: Socket) -> None:
    """Long, deep and broken ones: few are even read, the rows of the last one come, and nobody else waits."""
    hostile = ["a " * 128, "(" * 16 + "b" + ")" * 16, "(((", " OR ".join(f"kwargs.a.b.c.d:*{n}*x*" for n in range(60))]
    for n in range(3_000):
        socket.say("filter", filter=hostile[n % 4])
    deadline = time.monotonic() + PATIENCE
    heard = False
    while not heard:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        socket.say("filter", filter="after it all")
        message = socket.next("filter", "error", "state")
        heard = message.get("filter") == "after it all"
    socket.next_reset()


@pytest.mark.parametrize("event_id", [-1, -(10**30), 0, 10**18, 10**30, "9" * 400])
def test_a_cursor_that_cannot_be_is_brought_within_bounds(socket: Socket, epoch: str, event_id: int | str) -> None:
    """Below the first event it is the beginning, beyond the last the end: nothing is skipped from then on."""
    socket.connection.send(f'{{"type":"hello","epoch":"{epoch}","id":{event_id}}}')
    socket.expect_rows()


@pytest.mark.parametrize("of_epoch", ["", "of another life", "\0", "x" * 5_000, None])
def test_a_cursor_of_another_journal_begins_anew(socket: Socket, of_epoch: str | None) -> None:
    """The newest rows come, as for a page that has just been opened."""
    socket.say("hello", epoch=of_epoch, id=3)
    socket.next_reset()


@pytest.mark.parametrize("frame", [-1, -(10**18), 0, 99, 10**18])
def test_an_acknowledgement_of_a_frame_never_sent_is_no_credit(shop: Shop, cookie: str, frame: int) -> None:
    """Two frames at most are under way, as ever; what happens meanwhile comes after them."""
    with Socket(shop, cookie) as socket:
        socket.say("hello")
        latest = socket.next("rows", acknowledges=False)["frame"]
        for _ in range(3):
            socket.say("ack", frame=frame)
        until = FRAMES_IN_FLIGHT + min(max(frame, 0), latest)  # all that was sent may count as acknowledged
        while latest < until:
            ask(shop, "/one-more/")
            latest = socket.next("rows", acknowledges=False)["frame"]
        ask(shop, "/without-credit/")
        is_behind = False
        while not is_behind:
            message = socket.next("rows", "state", acknowledges=False)
            assert message["type"] == "state"
            is_behind = message["last_id"] > message["cursor"]
        socket.say("ack", frame=latest)
        rows = ""
        while "/without-credit/" not in rows:
            rows = socket.next("rows")["content"]


def test_thousands_of_commands_at_once_are_left_out_and_told_once_in_a_while(socket: Socket, shop: Shop) -> None:
    """Not each is answered; rows come all the while, and when it is over the page is heard again."""
    said = 5_000
    for _ in range(said):
        socket.say("reload")
    socket.expect_rows()
    heard, errors = False, 0
    deadline = time.monotonic() + PATIENCE
    while not heard:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        socket.say("filter", filter="after it")
        message = socket.next("filter", "error", "state")
        heard = message["type"] == "filter"
        errors += message["type"] == "error"
    assert errors < said


def test_many_pages_that_flood_do_not_disturb_the_others(socket: Socket, shop: Shop, cookie: str) -> None:
    """What one person says concerns nobody else."""
    with Socket(shop, cookie) as one, Socket(shop, cookie) as another:
        for _ in range(1_000):
            one.say("filter", filter="(((")
            another.connection.send("x" * 10_000)
        socket.expect_rows()


def test_pages_that_leave_while_they_are_answered_are_no_error(socket: Socket, shop: Shop, cookie: str) -> None:
    """As when a tab is closed: what was still to be said is said to nobody."""
    for _ in range(10):
        with Socket(shop, cookie) as leaving:
            leaving.hello()
            for _ in range(50):
                leaving.say("reload")


def test_a_page_that_never_says_hello_gets_no_rows(shop: Shop, cookie: str) -> None:
    """Only how things stand: it may not even exist."""
    with Socket(shop, cookie) as socket:
        ask(shop, "/before-hello/")
        for _ in range(2):
            assert socket.next("rows", "state")["type"] == "state"
        socket.hello()


def test_what_is_larger_than_any_message_ends_that_socket_alone(socket: Socket, shop: Shop, cookie: str) -> None:
    """The server's own bound is a megabyte; beyond it the sender is cut off, and nobody else."""
    with Socket(shop, cookie) as too_large:
        too_large.hello()
        with suppress(ConnectionClosed):
            too_large.connection.send("x" * 2**21)
        assert too_large.closed_with() in (1006, 1009)
