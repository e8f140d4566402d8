"""The command line, as people and programs use it: real processes, real journals, real faults."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from livesignals.events import Cause, decode, encode
from livesignals.journal import Journal, open_journal
from tests.journal.building import Sender, assert_balanced, make_count, make_event, make_events
from tests.processes import Program

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "project" / "manage.py"
PATIENCE = 60  # seconds
SECRET = "of no use to anyone"

#: Sends of many kinds: nested, failing, with an async receiver, with a secret, of a custom signal, rolled back.
HAPPENINGS = f"""
from django.contrib.auth.models import User
from django.db import transaction
from django.dispatch import Signal
from project.shop.models import Product, Tag
scarce = Product.objects.create(name="saffron", price=9, stock=50, reorder_level=5)
scarce.stock = 4
scarce.save()
User.objects.create_user("ada", password="{SECRET}")
def refuse(sender, **kwargs):
    raise ValueError("not today")
asked = Signal()
asked.connect(refuse)
asked.send_robust(sender="someone", question="→ why?")
with transaction.atomic():
    Tag.objects.create(name="kept")
with transaction.atomic():
    Tag.objects.create(name="given up")
    transaction.set_rollback(True)
"""
SAVE = "from project.shop.models import Tag; import uuid; print('saved', Tag.objects.create(name=uuid.uuid4().hex).pk)"


class Site:
    """The shop's management commands, with a database of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "journal.sqlite3"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "SHOP_DATABASE": str(folder / "shop.sqlite3"),
            "LIVESIGNALS_JOURNAL": f"sqlite:///{self.journal}",
        }

    def command(self, *arguments: str) -> list[str | Path]:
        return [sys.executable, MANAGE, *arguments]

    def on(self, journal: Path | str, **environment: str) -> dict[str, str]:
        """The environment in which commands use another journal."""
        url = f"sqlite:///{journal}" if isinstance(journal, Path) else journal
        return {**self.environment, "LIVESIGNALS_JOURNAL": url, **environment}

    def run(self, *arguments: str, journal: Path | str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(*arguments),
            env=self.on(journal or self.journal, **environment),
            cwd=self.folder,
            text=True,
            encoding="utf-8",
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )

    def livesignals(self, *arguments: str, journal: Path | str = "") -> str:
        """What a livesignals command that succeeds writes to standard output."""
        done = self.run("livesignals", *arguments, journal=journal)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *arguments: str, journal: Path, log: Path) -> Program:
        """A command that goes on until it is stopped."""
        return Program(self.command(*arguments), log=log, env=self.on(journal), cwd=self.folder)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A shop in which things have happened."""
    site = Site(tmp_path_factory.mktemp("site"))
    for done in (site.run("migrate", "-v0", journal="memory:"), site.run("shell", "-v0", "-c", HAPPENINGS)):
        assert done.returncode == 0, done.stderr
    return site


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test has a journal for itself."""
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    """That journal, as another process of the site has it."""
    journal = open_at(path)
    yield journal
    journal.close()


def open_at(path: Path, project: str = str(ROOT)) -> Journal:
    return open_journal(f"sqlite:///{path}", project=project, retain_events=100_000, retain_bytes=2**28)


def ids(output: str) -> list[int]:
    """The ids of the events in lines of JSON."""
    return [json.loads(line)["id"] for line in output.splitlines()]


# The contract for programs

NUMBER = (int, float)
KEYS: dict[str, Callable[[Any], bool]] = {
    "v": lambda value: value == 1,
    "epoch": lambda value: isinstance(value, str) and value != "",
    "id": lambda value: type(value) is int and value > 0,
    "uid": lambda value: isinstance(value, str) and value != "",
    "parent": lambda value: value is None or isinstance(value, str),
    "root": lambda value: isinstance(value, str) and value != "",
    "ts": lambda value: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value) is not None,
    "signal": lambda value: isinstance(value, str) and value != "",
    "family": lambda value: value in {"model", "request", "auth", "management", "tasks", "custom", "other"},
    "sender": lambda value: isinstance(value, str),
    "method": lambda value: value in {"send", "asend", "send_robust", "asend_robust"},
    "duration_us": lambda value: value is None or isinstance(value, NUMBER),
    "status": lambda value: value in {"returned", "raised", "skipped"},
    "error": lambda value: value is None or is_error(value),
    "receivers": lambda value: all(map(is_receiver_call, value)),
    "kwargs": lambda value: isinstance(value, dict),
    "cause": lambda value: value is None or all(isinstance(value[key], str) for key in ("kind", "name", "id")),
    "where": lambda value: value is None or isinstance(value, str),
    "transaction": lambda value: value is None or is_transaction(value),
    "process": lambda value: isinstance(value["host"], str) and type(value["pid"]) is int and type(value["seq"]) is int,
    "thread": lambda value: isinstance(value, str),
    "flags": lambda value: all(isinstance(flag, str) for flag in value),
    "changes": lambda value: value is None or all(len(old_and_new) == 2 for old_and_new in value.values()),
}


def is_error(value: dict[str, Any]) -> bool:
    return list(value) == ["type", "message"] and all(isinstance(words, str) for words in value.values())


def is_receiver_call(value: dict[str, Any]) -> bool:
    assert list(value)[:5] == ["name", "duration_us", "async", "status", "error"]
    return (
        isinstance(value["name"], str)
        and isinstance(value["duration_us"], NUMBER)
        and type(value["async"]) is bool
        and (value["status"] == "raised") == (value["error"] is not None)
        and (value["error"] is None or is_error(value["error"]))
    )


def is_transaction(value: dict[str, Any]) -> bool:
    states = {"autocommit", "pending", "committed", "rolled_back", "unknown"}
    return list(value)[:2] == ["db", "state"] and isinstance(value["db"], str) and value["state"] in states


def test_tail_json_is_one_event_a_line_with_the_keys_of_the_contract(site: Site) -> None:
    """Each key is there, in its place and of its type; what livesignals itself reads and writes again is the same."""
    lines = site.livesignals("tail", "--json", "--no-follow").splitlines()
    events = [json.loads(line) for line in lines]
    assert events
    for line, event in zip(lines, events, strict=True):
        assert list(event) == list(KEYS)
        assert [key for key, is_right in KEYS.items() if not is_right(event[key])] == []
        assert encode(decode(line)).decode() == line


def test_the_lines_say_what_happened(site: Site) -> None:
    """A nested send names its parent and root, a failing receiver its error, a send what became of its transaction."""
    lines = site.livesignals("tail", "--json", "--no-follow").splitlines()
    events = {event["uid"]: event for event in map(json.loads, lines)}
    assert ids("\n".join(lines)) == list(range(1, len(lines) + 1))

    [low] = [event for event in events.values() if event["signal"] == "project.shop.signals.stock_low"]
    above = events[low["parent"]]
    assert (above["sender"], above["signal"]) == ("shop.Product", "django.db.models.signals.post_save")
    assert low["root"] == above["root"]
    assert [(call["name"], call["async"]) for call in low["receivers"]] == [
        ("project.shop.receivers.order_from_supplier", True)
    ]

    [asked] = [event for event in events.values() if event["sender"] == "someone"]
    assert asked["kwargs"] == {"question": "→ why?"}
    assert asked["receivers"][0]["error"] == {"type": "ValueError", "message": "not today"}
    assert asked["cause"]["kind"] == "shell"
    states = {
        event["kwargs"]["instance"]["fields"]["name"]: event["transaction"]["state"]
        for event in events.values()
        if event["signal"].endswith(".post_save") and event["sender"] in ("shop.Tag", "shop.Product")
    }
    assert states == {"saffron": "autocommit", "kept": "committed", "given up": "rolled_back"}


def test_a_password_is_in_no_line(site: Site) -> None:
    """Neither the password nor its hash: not in JSON, not in the lines for people."""
    exported = site.livesignals("export", "sender:auth.User")
    assert '"username":"ada"' in exported
    for output in (exported, site.livesignals("tail", "--no-follow")):
        assert SECRET not in output
        assert "md5$" not in output


def test_export_writes_the_lines_of_tail_to_standard_output_or_a_file(site: Site, tmp_path: Path) -> None:
    """The same lines either way; with -o it says how many there were."""
    everything = site.livesignals("tail", "--json", "--no-follow", "--since", "start")
    assert site.livesignals("export") == everything
    assert site.livesignals("export", "--format", "jsonl", "-o", "-") == everything
    file = tmp_path / "events.jsonl"
    done = site.run("livesignals", "export", "-o", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert file.read_text(encoding="utf-8") == everything
    assert f"{len(everything.splitlines())} events written to {file}" in done.stderr


@pytest.mark.parametrize("output", ["/dev/full", "missing/folder/events.jsonl"])
def test_a_file_that_cannot_be_written_is_named(site: Site, output: str) -> None:
    """In a sentence, not in a traceback."""
    done = site.run("livesignals", "export", "-o", output)
    assert done.returncode == 1
    assert re.fullmatch(rf"CommandError: {output} cannot be written: .+\.\n", done.stderr)


def test_since_begins_after_an_id(site: Site) -> None:
    """With an id that is not given yet there is nothing; what is no id is refused."""
    everything = ids(site.livesignals("export"))
    half = everything[len(everything) // 2]
    assert ids(site.livesignals("tail", "--json", "--no-follow", "--since", str(half))) == [
        event_id for event_id in everything if event_id > half
    ]
    assert site.livesignals("tail", "--no-follow", "--since", str(10**30)) == ""
    refused = site.run("livesignals", "tail", "--no-follow", "--since", "yesterday")
    assert refused.returncode == 1
    assert "takes an id or the word start, not 'yesterday'" in refused.stderr


@pytest.mark.parametrize("form", ["csv", "trace"])
def test_export_writes_tables_and_traces(site: Site, form: str) -> None:
    """To standard output as to a file; each event is there once."""
    count = len(site.livesignals("export").splitlines())
    written = site.livesignals("export", "--format", form)
    if form == "csv":
        assert len(list(csv.DictReader(io.StringIO(written)))) == count
    else:
        drawn = [entry for entry in json.loads(written)["traceEvents"] if entry["ph"] in "Xi"]
        assert sum("send" in entry["cat"].split(",") for entry in drawn) == count
    assert SECRET not in written


# Recordings


def test_what_was_exported_is_imported_as_a_recording(site: Site, tmp_path: Path, path: Path) -> None:
    """It is listed, exported again as it was, and deleted; the live journal knows nothing of it."""
    file = tmp_path / "monday.jsonl"
    file.write_text(site.livesignals("export", "-signal:*prepared"), encoding="utf-8")
    count = len(file.read_text(encoding="utf-8").splitlines())
    said = site.livesignals("import", str(file), journal=path)
    assert said == f"{count:,} events imported as the recording monday\n"
    assert re.fullmatch(rf"monday  {count:,} events, imported \S+ \S+ from monday.jsonl\n", listed(site, path))
    assert site.livesignals("export", journal=path) == ""

    again = site.livesignals("export", "--recording", "monday", journal=path)
    assert without_place(again) == without_place(file.read_text(encoding="utf-8"))
    refused = site.run("livesignals", "import", str(file), journal=path)
    assert (refused.returncode, "--replace" in refused.stderr) == (1, True)
    site.livesignals("import", str(file), "--replace", journal=path)
    site.livesignals("recordings", "--delete", "monday", journal=path)
    assert listed(site, path) == ""
    gone = site.run("livesignals", "export", "--recording", "monday", journal=path)
    assert (gone.returncode, gone.stderr) == (1, "CommandError: There is no recording 'monday'. There are none.\n")


def listed(site: Site, path: Path) -> str:
    return site.livesignals("recordings", journal=path)


def without_place(lines: str) -> list[dict[str, Any]]:
    """Events without what a journal gives."""
    return [{**json.loads(line), "epoch": "", "id": 0} for line in lines.splitlines()]


def test_lines_that_are_no_events_are_told_by_number(site: Site, tmp_path: Path, path: Path) -> None:
    """The first twenty one by one, the others as a count; what is an event is imported."""
    file = tmp_path / "mixed.jsonl"
    good = encode(make_event()).decode()
    wrong = good.replace('"signal":"django.db.models.signals.post_save"', '"signal":17')
    file.write_text("\n".join([good, wrong, "\x1b[2J", *["{}"] * 30, good]), encoding="utf-8")
    done = site.run("livesignals", "import", str(file), journal=path)
    assert done.returncode == 0
    assert done.stdout == "2 events imported as the recording mixed; 32 lines left out\n"
    told = done.stderr.splitlines()
    assert told[0] == "line 2: expected `str`, got `int` - at `$.signal`; left out"
    assert told[-2:] == [
        "line 21: object missing required field `uid`; left out",
        "further lines that are left out are counted, not told",
    ]
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("file", ["missing.jsonl", ".", "/dev/null"])
def test_a_file_that_cannot_be_imported_is_named(site: Site, path: Path, file: str) -> None:
    """In a sentence; no recording is made."""
    done = site.run("livesignals", "import", file, "--name", "none", journal=path)
    assert done.returncode == 1
    assert re.fullmatch(r"CommandError: .+\.\n", done.stderr)
    assert listed(site, path) == ""


# Receivers


def test_receivers_are_listed_with_their_signals(site: Site) -> None:
    """Names, places, senders and how each is connected; and how often it was called of late."""
    signals = {each["signal"]: each for each in json.loads(site.livesignals("receivers", "--json"))}
    saved = {each["name"]: each for each in signals["django.db.models.signals.post_save"]["receivers"]}
    profile = saved["project.shop.receivers.open_profile"]
    recent = profile.pop("recent")
    assert profile == {
        "name": "project.shop.receivers.open_profile",
        "place": profile["place"],
        "async": False,
        "weak": True,
        "dispatch_uid": "shop.open_profile",
        "sender": "auth.User",
    }
    assert profile["place"].startswith("project/shop/receivers.py:")
    assert (recent["calls"], recent["raised"], recent["duration_us"] > 0) == (1, 0, True)
    supplier = signals["project.shop.signals.stock_low"]["receivers"]
    assert [(each["name"], each["async"]) for each in supplier] == [
        ("project.shop.receivers.order_from_supplier", True)
    ]
    assert signals["django.db.models.signals.pre_init"] == {
        "signal": "django.db.models.signals.pre_init",
        "family": "model",
        "receivers": [],
    }
    assert "project.shop.receivers.open_profile  project/shop/receivers.py:" in site.livesignals("receivers")


# Filters


@pytest.mark.parametrize("action", [["tail", "--no-follow"], ["export"]], ids=["tail", "export"])
def test_a_filter_chooses_what_is_written(site: Site, action: list[str]) -> None:
    """A term that leaves out may be written as it is in the page, dash first."""
    done = site.run("livesignals", *action, "sender:shop.*", "family:model", "-signal:pre_save", "-signal:*init")
    assert done.returncode == 0, done.stderr
    assert "post_save" in done.stdout
    assert "pre_save" not in done.stdout
    assert "auth.User" not in done.stdout


@pytest.mark.parametrize("action", ["tail", "export"])
@pytest.mark.parametrize(
    ("words", "column", "message"),
    [
        (["sender:shop.*", "sginal:post_save"], 15, "did you mean signal?"),
        (["signal:post_save", "dur>"], 22, "no value touches the >; expected a value"),
        (["signal:post_save (a"], 20, 'expected ")"'),
    ],
)
def test_a_wrong_filter_is_shown_with_a_caret_under_the_column(
    site: Site, action: str, words: list[str], column: int, message: str
) -> None:
    """It exits with 1 and writes nothing else."""
    done = site.run("livesignals", action, *words)
    assert (done.returncode, done.stdout) == (1, "")
    said, shown, caret = done.stderr.splitlines()
    assert said.startswith("CommandError: filter: ")
    assert message in said
    assert shown == f"  {' '.join(words)}"
    assert caret == f"  {' ' * (column - 1)}^"


# Following


def test_tail_follows_sends_of_other_processes(site: Site, path: Path, journal: Journal, tmp_path: Path) -> None:
    """What another command does while it runs is written when it happens."""
    Sender(journal).append(make_events(1, signal="before"))
    arguments = ["tail", "--json", "--since", "start", "signal:before", "OR", "sender:shop.Tag"]
    with site.start("livesignals", *arguments, journal=path, log=tmp_path / "log") as tail:
        tail.wait_for_output(r'"signal":"before"')
        saved = site.run("shell", "-v0", "-c", SAVE, journal=path)
        assert saved.returncode == 0, saved.stderr
        tail.wait_for_output(r'"signal":"django.db.models.signals.post_save"')


def test_tail_without_since_begins_with_what_comes(site: Site, path: Path, journal: Journal, tmp_path: Path) -> None:
    """History is only written when it was asked for; ctrl-C ends it without a word."""
    sender = Sender(journal)
    sender.append(make_events(20))
    with site.start("livesignals", "tail", "--json", journal=path, log=tmp_path / "log") as tail:
        while not tail.output():
            assert tail.process.poll() is None, tail.output()
            sender.append(make_events(1))
        os.kill(tail.process.pid, signal.SIGINT)
        assert tail.process.wait(PATIENCE) == 0
    shown = ids(tail.output())
    assert shown[0] > 20
    assert shown == list(range(shown[0], shown[-1] + 1))


@pytest.mark.parametrize("how", ["cleared", "deleted"])
def test_tail_goes_on_in_a_journal_that_was_begun_anew(
    site: Site, path: Path, journal: Journal, tmp_path: Path, how: str
) -> None:
    """Somebody clears it, or deletes its file: the next sends are seen."""
    sender = Sender(journal)
    sender.append(make_events(5, signal="old"))
    arguments = ["tail", "--json", "--since", "start"]
    with site.start("livesignals", *arguments, journal=path, log=tmp_path / "log") as tail:
        tail.wait_for_output(r'(?s)("signal":"old".+){5}')
        if how == "cleared":
            journal.clear()
        else:
            path.unlink()
        sender.append(make_events(2, signal="new"))
        tail.wait_for_output(r'(?s)("signal":"new".+){2}')
    lines = tail.output().splitlines()
    assert [json.loads(line)["signal"] for line in lines if line.startswith("{")] == ["old"] * 5 + ["new"] * 2
    assert [line for line in lines if not line.startswith("{")] == [
        "the journal began anew: ids start over under another epoch"
    ]


def test_tail_tells_what_was_evicted_before_it_was_read(site: Site, path: Path, journal: Journal) -> None:
    """An absence is a visible gap, with its size."""
    Sender(journal).append(make_events(10))
    journal.prune(keep_events=4)
    ended = site.run("livesignals", "tail", "--no-follow", "--json", "--since", "2", journal=path)
    assert ids(ended.stdout) == [7, 8, 9, 10]
    assert ended.stderr == "gap: 4 events from id 3 on were evicted unread\n"


@pytest.mark.parametrize("arguments", [["tail", "--since", "start"], ["tail", "--no-follow", "--json"], ["export"]])
def test_a_reader_that_has_read_enough_ends_it_quietly(
    site: Site, path: Path, journal: Journal, arguments: list[str]
) -> None:
    """As `… | head -1` does: no traceback, no error."""
    Sender(journal).append(make_events(2_000))  # more than a pipe holds
    with subprocess.Popen(
        site.command("livesignals", *arguments),
        env=site.on(path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "post_save" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) == 0


def test_tail_tells_people_a_send_in_a_line(site: Site) -> None:
    """When, which signal, which sender, how many receivers ran, what was raised, in what it happened."""
    output = site.livesignals("tail", "--no-follow", "sender:shop.Product", "OR", "sender:someone")
    lines = output.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3}  \S", line) for line in lines)
    assert re.search(r"post_save +shop\.Product \d+  1 receiver  [\d.]+ ms  · manage\.py shell$", output, re.MULTILINE)
    assert re.search(r"someone  1 receiver .*refuse raised ValueError", output)


def test_tail_lets_nothing_through_that_a_terminal_would_obey(site: Site, path: Path, journal: Journal) -> None:
    """A visitor chooses the path of a request; it must not move the cursor of whoever watches."""
    cause = Cause(kind="request", name="GET /\x1b[2J\x9b2J\r\x07\nfalse line", id="1")
    Sender(journal).append([make_event(cause=cause, sender="\x1b]0;title\x07")])
    output = site.livesignals("tail", "--no-follow", journal=path)
    assert output.endswith("GET /�[2J�2J���false line\n")
    assert re.findall(r"[\x00-\x1f\x7f-\x9f]", output) == ["\n"]


# Forgetting


def test_prune_keeps_the_newest_and_says_how_many_went(site: Site, path: Path, journal: Journal) -> None:
    """None unless told otherwise; figures stay true."""
    Sender(journal).append(make_events(10))
    assert site.livesignals("prune", "--keep", "4", journal=path) == "6 events forgotten\n"
    assert ids(site.livesignals("export", journal=path)) == [7, 8, 9, 10]
    refused = site.run("livesignals", "prune", "--keep", "-1", journal=path)
    assert refused.returncode == 1
    assert "a number of events, not -1" in refused.stderr
    assert site.livesignals("prune", journal=path) == "4 events forgotten\n"
    assert site.livesignals("export", journal=path) == ""
    assert_balanced(journal)


def test_how_much_is_kept_is_said_and_changed(site: Site, path: Path, journal: Journal) -> None:
    """For every process, each of the two limits by itself, at once; doctor says so, and --reset undoes it."""
    Sender(journal).append(make_events(50))
    settings = "kept are 100,000 events (as the settings say) or 268,435,456 bytes (as the settings say)"
    assert site.livesignals("retain", journal=path) == f"{settings}, whichever ends first\n"
    said = site.livesignals("retain", "--events", "20", journal=path)
    assert said.startswith("30 events forgotten\nkept are 20 events (set by retain) or 268,435,456 bytes (as the set")
    said = site.livesignals("retain", "--bytes", "1000000", journal=path)
    assert said.startswith("kept are 20 events (set by retain) or 1,000,000 bytes (set by retain)")
    assert "kept      20 events (set by retain)" in site.livesignals("doctor", journal=path)
    refused = site.run("livesignals", "retain", "--events", "0", journal=path)
    assert (refused.returncode, refused.stderr) == (1, "CommandError: at least 1 event is retained, not 0.\n")
    assert journal.retention().events == 20
    assert site.livesignals("retain", "--reset", journal=path).startswith(settings)
    assert_balanced(journal)


# What is wrong


def test_doctor_finds_nothing_wrong_with_a_healthy_journal(site: Site) -> None:
    """It says where the journal is, accounts for every event, and names the processes that wrote."""
    said = site.livesignals("doctor")
    count = len(site.livesignals("export").splitlines())
    assert f"journal   sqlite:///{site.journal}\n" in said
    assert "capture   on\n" in said
    assert f"captured  {count} = {count} stored + 0 dropped + 0 on their way\n" in said
    assert f"retained  {count} events, " in said
    assert re.search(rf"process   \S+ \d+ manage\.py shell: {count} stored, gone, seen \d+ s ago\n", said)
    assert said.endswith("nothing is wrong\n")


def test_counts_are_told_as_such(site: Site, path: Path, journal: Journal) -> None:
    """tail says how many sends and how long they took together, export has it in a key of its own, doctor the sum."""
    Sender(journal).append([make_event(), make_count(1_204_332), make_count(8, status="raised")])
    assert "counted   1,204,340 sends instead of kept" in site.livesignals("doctor", journal=path)
    lines = site.livesignals("tail", "--no-follow", "is:counted", journal=path).splitlines()
    assert [re.search(r"post_save +shop.Order  × [\d,]+ \w+  1.2 ms", line) is not None for line in lines] == [True] * 2
    assert "× 1,204,332 returned" in lines[0]
    assert "× 8 raised" in lines[1]
    kept, *counts = map(json.loads, site.livesignals("export", journal=path).splitlines())
    assert "counted" not in kept
    assert [count["counted"] for count in counts] == [
        {"sends": sends, "duration_us": 1_234.5, "seconds": 1.0} for sends in (1_204_332, 8)
    ]


def no_folder(path: Path) -> None:
    """A file where the journal's folder should be: not even root can write below it."""
    path.parent.rmdir()
    path.parent.write_text("")


def folder(path: Path) -> None:
    path.mkdir()


def of_another_project(path: Path) -> None:
    journal = open_at(path, project="/srv/blog")
    Sender(journal).append(make_events(1))
    journal.close()


def database_of_something_else(path: Path) -> None:
    database = apsw.Connection(str(path))
    database.execute("CREATE TABLE orders (id)")
    database.close()


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (no_folder, "cannot be opened"),
        (folder, "is not a file"),
        (of_another_project, "belongs to the project '/srv/blog'"),
        (database_of_something_else, "is an SQLite database of something else"),
    ],
)
def test_a_journal_that_cannot_be_used_is_explained_and_the_project_runs_on(
    site: Site, tmp_path: Path, make: Callable[[Path], None], wrong: str
) -> None:
    """Doctor and tail say what is wrong and what to do; a command of the project does its work meanwhile."""
    path = tmp_path / "journals" / "journal.sqlite3"
    path.parent.mkdir()
    make(path)
    before = path.read_bytes() if path.is_file() else None

    saved = site.run("shell", "-v0", "-c", SAVE, journal=path)
    assert saved.returncode == 0, saved.stderr
    assert saved.stdout.startswith("saved ")
    assert wrong in saved.stderr
    assert "Traceback" not in saved.stderr

    doctor = site.run("livesignals", "doctor", journal=path)
    assert doctor.returncode == 1
    told = doctor.stdout.splitlines()
    assert [line for line in told if line.startswith("error: ") and str(path.name) in line and wrong in line]
    assert 'Name another file in LIVESIGNALS["JOURNAL"]' in told[-1]

    tail = site.run("livesignals", "tail", journal=path)
    assert (tail.returncode, tail.stdout) == (1, "")
    assert tail.stderr.startswith("CommandError: ")
    assert wrong in tail.stderr
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize("option", ["--settings=project.settings", "-v2", "--traceback", "--no-color", "--skip-checks"])
def test_djangos_own_options_stand_behind_an_action_too(site: Site, option: str) -> None:
    """As with every other command."""
    assert site.run("livesignals", "doctor", option).returncode == 0
    assert site.run("livesignals", "tail", "--no-follow", option).returncode == 0


def test_a_file_that_is_not_sqlite_is_set_aside_and_doctor_tells(site: Site, path: Path) -> None:
    """Its content is kept, a new journal begun; that is a warning, not an error."""
    path.write_text("my notes\n")
    saved = site.run("shell", "-v0", "-c", SAVE, journal=path)
    assert saved.returncode == 0
    assert "was broken (it is not an SQLite file)" in saved.stderr
    doctor = site.run("livesignals", "doctor", journal=path)
    assert doctor.returncode == 0
    assert "warning: The journal journal.sqlite3 was broken (it is not an SQLite file)" in doctor.stdout
    assert "The file that was set aside may be deleted." in doctor.stdout
    [aside] = path.parent.glob("journal.sqlite3.broken-*Z")
    assert aside.read_text() == "my notes\n"
    assert "post_save" in site.livesignals("tail", "--no-follow", "sender:shop.Tag", journal=path)


def test_a_journal_in_redis_is_read_as_one_in_a_file(site: Site, redis_url: str) -> None:
    """By processes that have only the URL in common; doctor says what it is stored in, and no password."""
    url = f"{redis_url}?name=commands"
    saved = site.run("shell", "-v0", "-c", SAVE, journal=url)
    assert (saved.returncode, saved.stderr) == (0, "")
    assert "post_save" in site.livesignals("tail", "--no-follow", "sender:shop.Tag", journal=url)
    said = site.livesignals("doctor", journal=url)
    assert f"journal   {url}\n" in said
    assert "stored in Redis " in said
    assert "layer     RedisPubSubChannelLayer\n" in said
    assert "nothing is wrong" in said
    doctor = site.run("livesignals", "doctor", journal="redis://:hunter2@127.0.0.1:1/0")
    assert doctor.returncode == 1
    assert "journal   redis://:***@127.0.0.1:1/0" in doctor.stdout
    assert "cannot be reached" in doctor.stdout
    assert "hunter2" not in doctor.stdout + doctor.stderr


def test_a_url_that_names_no_journal_is_explained_and_the_project_runs_on(site: Site) -> None:
    """A mistake in the environment is as harmless as one in the settings."""
    url = "postgres://shop@db/signals"
    saved = site.run("shell", "-v0", "-c", SAVE, journal=url)
    assert saved.returncode == 0
    assert saved.stdout.startswith("saved ")
    assert "Traceback" not in saved.stderr
    doctor = site.run("livesignals", "doctor", journal=url)
    assert doctor.returncode == 1
    assert "LIVESIGNALS_JOURNAL in the environment must begin with one of sqlite:///" in doctor.stderr


def test_a_setting_that_is_wrong_is_explained_and_the_project_runs_on(site: Site, tmp_path: Path) -> None:
    """A misspelt key turns capture off, not the project."""
    (tmp_path / "misspelt.py").write_text("from project.settings import *\nLIVESIGNALS = {'RETAIN_EVENT': 5}\n")
    misspelt = {"DJANGO_SETTINGS_MODULE": "misspelt", "PYTHONPATH": str(tmp_path)}
    doctor = site.run("livesignals", "doctor", **misspelt)
    assert doctor.returncode == 1
    assert "RETAIN_EVENT" in doctor.stderr
    assert "RETAIN_EVENTS" in doctor.stderr
    assert "Traceback" not in doctor.stderr
    saved = site.run("shell", "-v0", "-c", SAVE, **misspelt)
    assert saved.returncode == 0
    assert "Traceback" not in saved.stderr


# A journal that goes and comes back

BUFFERED = 20_000  # sends that a process keeps for a journal that is away
MADE = 22_000
WAITING = f"""
from django.dispatch import Signal
from livesignals.transport.process import get_flusher
from project.shop.models import Tag
Tag.objects.create(name="made while the journal was away")
input()
flood = Signal()
for n in range({MADE}):
    flood.send(sender="flood", n=n)
print("made", flush=True)
input()
print("written", get_flusher().flush({PATIENCE}), flush=True)
"""


def test_what_a_journal_that_was_away_missed_is_stored_or_counted(site: Site, tmp_path: Path) -> None:
    """A process keeps 20,000 sends for it and counts the others, with the reason; doctor says so."""
    path = tmp_path / "journals" / "journal.sqlite3"
    path.parent.write_text("a file where the folder should be")
    with subprocess.Popen(
        site.command("shell", "-v0", "-c", WAITING),
        env=site.on(path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert "cannot be opened" in process.stderr.readline()
        process.stdin.write("\n")
        assert process.stdout.readline() == "made\n"
        path.parent.unlink()
        output, errors = process.communicate("\n", timeout=2 * PATIENCE)
    assert (process.returncode, output) == (0, "written True\n"), errors
    assert errors == "livesignals: the journal can be used again\n"

    journal = open_at(path)
    counts = journal.counts()
    assert_balanced(journal)
    assert counts.buffered == 0
    assert counts.captured > MADE
    assert counts.stored >= BUFFERED
    dropped = counts.captured - counts.stored
    assert counts.dropped == {"journal unavailable": dropped}
    kept = [event.kwargs["n"] for event in journal.read(0, MADE) if event.sender == "flood"]
    assert kept == list(range(MADE - dropped))
    assert f"dropped  {dropped}: journal unavailable" in site.livesignals("doctor", journal=path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", mount], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a small disk can only be mounted by root: {made.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "--lazy", mount], check=True)


def test_a_full_disk_is_explained_and_the_project_runs_on(site: Site, small_disk: Path) -> None:
    """Doctor says that there is no space and what to do; with space again, sends are stored again."""
    path, rest = small_disk / "journal.sqlite3", small_disk / "rest"
    assert site.run("shell", "-v0", "-c", SAVE, journal=path).returncode == 0
    stored = open_at(path).counts().stored
    fill(rest)

    saved = site.run("shell", "-v0", "-c", SAVE, journal=path)
    assert saved.returncode == 0
    assert saved.stdout.startswith("saved ")
    assert "no space left" in saved.stderr
    assert "Traceback" not in saved.stderr
    doctor = site.run("livesignals", "doctor", journal=path)
    assert f"only 0 bytes are free for the journal {path}" in doctor.stdout
    assert 'Name another file in LIVESIGNALS["JOURNAL"]' in doctor.stdout

    rest.unlink()
    assert site.run("shell", "-v0", "-c", SAVE, journal=path).returncode == 0
    journal = open_at(path)
    assert journal.counts().stored > stored
    assert_balanced(journal)


def fill(file: Path) -> None:
    """Write until the disk takes no more."""
    with file.open("wb", buffering=0) as rest:
        try:
            while rest.write(b"\0" * 512):
                pass
        except OSError:
            pass
