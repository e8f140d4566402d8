"""``manage.py livesignals serve | tail | export | import | recordings | receivers | prune | retain | doctor``."""

import os
import re
import signal
import sys
import time
from argparse import SUPPRESS
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from msgspec import UNSET, json, to_builtins

from livesignals import conf
from livesignals.events import Event, encode
from livesignals.exceptions import FilterError, JournalError, LiveSignalsError
from livesignals.exchange import jsonl, recordings
from livesignals.exchange.formats import FORMATS
from livesignals.exchange.progress import Progress
from livesignals.exchange.reading import follow, retained
from livesignals.filters import parse
from livesignals.journal import Counts, Indexed, Retention
from livesignals.journal.liveness import silence
from livesignals.management.figures import figure
from livesignals.transport.process import get_journal

if TYPE_CHECKING:
    from livesignals.exchange.receivers import Listed, Receiver
    from livesignals.management.doctor import Diagnosis

#: At most so many lines that an import leaves out are told one by one.
TOLD_LINES = 20


class Command(BaseCommand):
    """See every signal send of this project."""

    help = "See every signal send of this project: in a browser (serve) or in the terminal (tail)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

        serve = actions.add_parser("serve", help="the dashboard, for whatever serves the project")
        serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s); 0.0.0.0: all")
        serve.add_argument("--port", type=int, default=8900, help="port to listen on (%(default)s)")

        tail = actions.add_parser("tail", help="sends as they happen")
        tail.add_argument("filter", nargs="*", default=[], help="such as: signal:post_save dur>5ms")
        tail.add_argument("--json", action="store_true", help="one JSON object a line")
        tail.add_argument(
            "--since", default=None, metavar="ID|start", help="begin after this id; start: with the oldest"
        )
        tail.add_argument("--no-follow", action="store_true", help="end with what is there now")

        export = actions.add_parser(
            "export",
            help="what is retained, for other programs",
            description="Writes what is retained, oldest first. jsonl: one JSON object a line, for programs, and for"
            " `import`. csv: for spreadsheets. trace: Chrome trace events, to be opened at ui.perfetto.dev.",
        )
        export.add_argument("filter", nargs="*", default=[], help="such as: sender:shop.* ts:2026-01-02..2026-01-03")
        export.add_argument("--format", choices=list(FORMATS), default="jsonl", help="(%(default)s)")
        export.add_argument("-o", "--output", default="-", metavar="FILE", help="where to; - is standard output")
        export.add_argument("--recording", metavar="NAME", help="of this recording instead of the live journal")

        bring = actions.add_parser(
            "import",
            help="a file that export wrote, as a recording of its own",
            description="Opens JSON Lines that `export` wrote as a recording: a journal of its own, never mixed with"
            " what happens in this project. Each line is checked; what is no event is told by its number and left out."
            ' Exits with 1 when nothing could be imported. The dashboard lists recordings under "Take away".',
        )
        bring.add_argument("file", help="- is standard input")
        bring.add_argument("--name", help="what the recording is called (as the file)")
        bring.add_argument("--replace", action="store_true", help="instead of a recording that has this name")

        listing = actions.add_parser("recordings", help="what was imported")
        listing.add_argument("--json", action="store_true", help="one JSON object a line")
        listing.add_argument("--delete", metavar="NAME", help="remove this one")

        receivers = actions.add_parser(
            "receivers",
            help="which receivers are connected to which signals",
            description="Lists what is connected once the project's apps are loaded; what only an imported URLconf"
            " connects is not there. Calls and times are those of the newest 10,000 events.",
        )
        receivers.add_argument("--json", action="store_true", help="one JSON list")

        prune = actions.add_parser("prune", help="forget old events now")
        prune.add_argument("--keep", type=int, default=0, metavar="N", help="the newest events to keep (%(default)s)")

        retain = actions.add_parser(
            "retain",
            help="how much history is kept, changed while the project runs",
            description="Says how much is kept, or changes it: every process of the project that records keeps to it"
            " from its next batch on, whatever RETAIN_EVENTS and RETAIN_BYTES say, until --reset or another journal.",
        )
        retain.add_argument("--events", type=int, metavar="N", help="the newest events to keep")
        retain.add_argument("--bytes", type=int, metavar="N", help="the most bytes that these may have")
        retain.add_argument("--reset", action="store_true", help="as the settings say")

        doctor = actions.add_parser(
            "doctor",
            help="what is wrong, and what to do about it",
            description="Looks at settings, versions, the channel layer, the journal and its space, clocks, and how"
            " late processes are. Exits with 1 when something is wrong that is more than a warning.",
        )
        doctor.add_argument("--json", action="store_true", help="one JSON object")

        # Django's own may stand behind the action too; what stands in front of it is not overwritten.
        for action in actions.choices.values():
            for option in ("--settings", "--pythonpath"):
                action.add_argument(option, default=SUPPRESS, help=SUPPRESS)
            for option in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
                action.add_argument(option, action="store_true", default=SUPPRESS, help=SUPPRESS)
            action.add_argument("-v", "--verbosity", type=int, choices=range(4), default=SUPPRESS, help=SUPPRESS)

    def run_from_argv(self, argv: list[str]) -> None:
        super().run_from_argv([*argv[:2], *map(_as_argument, argv[2:])])

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, "import_" if options["action"] == "import" else options["action"])(**options)
        except FilterError as error:
            pointer = " " * (error.column - 1) + "^"
            text = " ".join(options["filter"])
            expected = f"; expected {error.expected}" if error.expected else ""
            raise CommandError(f"filter: {error.message}{expected}\n  {text}\n  {pointer}") from None
        except JournalError as error:
            raise CommandError(f"{error} {error.hint}") from None
        except LiveSignalsError as error:
            raise CommandError(f"{error} {getattr(error, 'hint', '')}".strip()) from None
        except BrokenPipeError:
            sys.stderr.close()  # whoever read us has read enough: head, less

    def serve(self, *, host: str, port: int, **options: Any) -> None:
        """The sidecar: nothing but the dashboard, beside any project."""
        if not conf.is_enabled(conf.read()):
            raise CommandError('livesignals is off: DEBUG is off and LIVESIGNALS["ENABLED"] is not set to True.')
        from livesignals.dashboard.asgi import Dashboard
        from livesignals.dashboard.server import serve

        def announce(link: str) -> None:
            self.stdout.write(f"livesignals: {link}   (works once; the next one is printed when it was used)")
            self.stdout.flush()

        serve(Dashboard(), host=host, port=port, announce=announce)

    def tail(self, *, filter: list[str], json: bool, since: str | None, no_follow: bool, **options: Any) -> None:
        """Print sends as they happen."""
        chosen, journal = parse(" ".join(filter)), get_journal()
        bounds = journal.bounds()
        after = bounds.last if since is None and not no_follow else _since(since, bounds.first - 1)
        with _interrupts() as is_interrupted:
            for event in follow(
                journal,
                chosen,
                after,
                bounds.epoch,
                tell=self.stderr.write,
                waits=not no_follow,
                is_over=is_interrupted,
            ):
                self.stdout.write(encode(event).decode() if json else _line(event))
                self.stdout.flush()

    def export(
        self, *, filter: list[str], format: str, output: str, recording: str | None = None, **options: Any
    ) -> None:
        """Write what is retained, oldest first."""
        chosen = parse(" ".join(filter))
        journal = get_journal() if recording is None else recordings.open_recording(recording)
        bounds, count = journal.bounds(), 0
        progress = Progress(sys.stderr, "events", bounds.last + 1 - bounds.first)

        def tell(gap: str) -> None:
            progress.clear()
            self.stderr.write(gap)

        def counted() -> Iterator[Event]:
            nonlocal count
            for event in retained(journal, chosen, tell=tell, scanned=scanned):
                count += 1
                yield event

        def scanned(event_id: int) -> None:
            progress.tell(count, event_id + 1 - bounds.first)

        try:
            # Lines end as the format says, on every system.
            with (
                nullcontext(sys.stdout)
                if output == "-"
                else Path(output).open("w", encoding="utf-8", newline="") as file
            ):
                for text in FORMATS[format].write(counted()):
                    file.write(text)
                file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            where = "standard output" if output == "-" else output
            raise CommandError(f"{where} cannot be written: {error.strerror or error}.") from None
        finally:
            progress.clear()
        if output != "-":
            self.stderr.write(f"{figure(count, 'event')} written to {output}")

    def import_(self, *, file: str, name: str | None, replace: bool, **options: Any) -> None:
        """Make a recording of a file."""
        name = name if name is not None else recordings.name_from(file)
        recordings.check_name(name, may_exist=replace)  # before much is read
        left_out = 0
        progress = Progress(sys.stderr, "lines")

        def tell(line: jsonl.Line) -> None:
            nonlocal left_out
            left_out += 1
            progress.clear()
            if left_out <= TOLD_LINES:
                self.stderr.write(f"line {line.number}: {_printable(line.problem)}; left out")
            elif left_out == TOLD_LINES + 1:
                self.stderr.write("further lines that are left out are counted, not told")

        try:
            with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as source:
                progress.whole = _size(source)
                imported = recordings.bring_in(
                    name,
                    jsonl.read(source),
                    source="standard input" if file == "-" else Path(file).name,
                    replaces=replace,
                    tell=tell,
                    progress=progress.tell,
                )
        except OSError as error:
            where = "standard input" if file == "-" else file
            raise CommandError(f"{where} cannot be read: {error.strerror or error}.") from None
        finally:
            progress.clear()
        lines = f"; {figure(imported.left_out, 'line')} left out" if imported.left_out else ""
        self.stdout.write(f"{figure(imported.events, 'event')} imported as the recording {name}{lines}")

    def recordings(self, *, json: bool, delete: str | None, **options: Any) -> None:
        """List recordings, or delete one."""
        if delete is not None:
            recordings.delete(delete)
            self.stderr.write(f"the recording {delete} was deleted")
            return
        for recording in map(recordings.describe, recordings.names()):
            if json:
                self.stdout.write(_json(recording))
            elif recording.problem:
                self.stdout.write(f"{recording.name}  {recording.problem}")
            else:
                made = time.strftime("%Y-%m-%d %H:%M", time.localtime(recording.imported_us / 1e6))
                source, events = _printable(recording.source), figure(recording.events, "event")
                self.stdout.write(f"{recording.name}  {events}, imported {made} from {source}")

    def receivers(self, *, json: bool, **options: Any) -> None:
        """List which receivers are connected to which signals."""
        from livesignals.exchange.receivers import listed

        try:
            signals = listed(get_journal())
        except JournalError as error:
            self.stderr.write(f"calls are not counted: {error} {error.hint}")
            signals = listed(None)
        if json:
            self.stdout.write(_json([_flat(each) for each in signals]))
            return
        for each in signals:
            if each.receivers:
                self.stdout.write(self.style.MIGRATE_HEADING(_printable(each.signal)))
            for receiver in each.receivers:
                self.stdout.write("  " + _printable(_receiver_line(receiver)))
        silent = sum(not each.receivers for each in signals)
        self.stdout.write(f"{figure(silent, 'other signal')} without a receiver")

    def prune(self, *, keep: int, **options: Any) -> None:
        """Forget old events now."""
        if keep < 0:
            raise CommandError(f"--keep takes a number of events, not {keep}.")
        self.stdout.write(f"{figure(get_journal().prune(keep_events=keep), 'event')} forgotten")

    def retain(self, *, events: int | None, bytes: int | None, reset: bool, **options: Any) -> None:
        """Say how much history is kept, or change it."""
        journal = get_journal()
        before = journal.retention()
        if reset or events is not None or bytes is not None:
            kept = (None, None) if reset else (before.set_events, before.set_bytes)
            try:
                journal.retain(*(old if new is None else new for new, old in zip((events, bytes), kept, strict=True)))
            except ValueError as error:
                raise CommandError(f"{error}.") from None
            pruned = journal.prune()
            if pruned:
                self.stdout.write(f"{figure(pruned, 'event')} forgotten")
        self.stdout.write(f"kept are {_retention(journal.retention())}")

    def doctor(self, *, json: bool, **options: Any) -> None:
        """Say what is wrong. Exits with 1 when something is that is worth more than a warning."""
        from livesignals.management.doctor import examine

        diagnosis = examine(get_journal())
        if json:
            self.stdout.write(_json({**to_builtins(diagnosis), "ok": diagnosis.is_well}))
        else:
            self._tell(diagnosis)
        if not diagnosis.is_well:
            raise SystemExit(1)

    def _tell(self, diagnosis: "Diagnosis") -> None:
        self.stdout.write(f"journal   {diagnosis.journal}")
        if diagnosis.store:
            self.stdout.write(f"stored in {diagnosis.store}")
        self.stdout.write(f"capture   {'on' if diagnosis.capture else 'off: DEBUG is off, ENABLED is not set'}")
        self.stdout.write(f"layer     {diagnosis.layer}")
        self.stdout.write(f"versions  {', '.join(f'{name} {number}' for name, number in diagnosis.versions.items())}")
        if diagnosis.counts is not None:
            self._tell_counts(diagnosis.counts, diagnosis.retention, diagnosis.indexed)
        for process in diagnosis.processes:
            gone = "gone, " if process.is_gone else ""
            self.stdout.write(
                f"process   {process.host} {process.pid} {process.role}: {process.stored} stored,"
                f" {gone}seen {silence(process):.0f} s ago"
            )
        for finding in diagnosis.findings:
            style = self.style.ERROR if finding.level == "error" else self.style.WARNING
            self.stdout.write(style(f"{finding.level}: {finding.message}") + f"\n  {finding.hint}")
        if not diagnosis.findings:
            self.stdout.write(self.style.SUCCESS("nothing is wrong"))

    def _tell_counts(self, counts: Counts, retention: Retention | None, indexed: Indexed | None) -> None:
        self.stdout.write(
            f"captured  {counts.captured} = {counts.stored} stored + {sum(counts.dropped.values())} dropped"
            f" + {counts.buffered} on their way"
        )
        for reason, count in counts.dropped.items():
            meaning = f" ({_DROPPED[reason]})" if reason in _DROPPED else ""
            self.stdout.write(f"  dropped  {count}: {reason}{meaning}")
        if counts.counted:
            sends = figure(counts.counted, "send")
            self.stdout.write(f"counted   {sends} instead of kept, as COUNT, SAMPLE and FLOOD say")
        self.stdout.write(f"retained  {figure(counts.retained, 'event')}, {figure(counts.bytes, 'byte')}")
        if retention is not None:
            self.stdout.write(f"kept      {_retention(retention)}")
        if indexed is not None:
            behind = counts.retained - indexed.events
            rest = f"; the other {behind} once a page is open" if behind > 0 else ""
            self.stdout.write(f"indexed   {indexed.events} of them for searches, {indexed.bytes} bytes{rest}")


#: What to do about sends that were dropped, by the reason.
_DROPPED = {
    "buffer full": "they came faster than they were written: SAMPLE, COUNT or FLOOD them",
    "journal unavailable": "the log of their process says why",
    "cannot be described": "a fault of livesignals: the log of their process has it",
    "process ended": "what a process had not written when it was killed",
    "not written in time at exit": "a process writes for 5 seconds when it ends: SAMPLE, COUNT or FLOOD what it sends",
    "journal failed": "a fault of livesignals: the log of their process has it",
    "stored in another journal": "they are in a journal that was replaced or set aside",
}


def _retention(retention: Retention) -> str:
    """How much is kept, and who says so."""

    def said(number: int, what: str, is_set: bool) -> str:
        return f"{figure(number, what)} ({'set by retain' if is_set else 'as the settings say'})"

    events = said(retention.events, "event", retention.set_events is not None)
    return f"{events} or {said(retention.bytes, 'byte', retention.set_bytes is not None)}, whichever ends first"


def _as_argument(word: str) -> str:
    """A term such as ``-is:error`` so that argparse does not take it for an option; a filter may begin with spaces."""
    return f" {word}" if re.match(r"-(?!v\d$)[^-].", word, re.DOTALL) else word


def _since(since: str | None, oldest: int) -> int:
    if since is None or since == "start":
        return oldest
    try:
        return int(since)
    except ValueError:
        raise CommandError(f"--since takes an id or the word start, not {since!r}.") from None


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Whether ctrl-C was pressed. As an exception it may come where it is swallowed, in a destructor or callback."""
    pressed: list[int] = []
    outer = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, outer)


def _new_file(path: str) -> TextIO:
    """Lines end as what is written says, on every system."""
    return Path(path).open("w", encoding="utf-8", newline="")


def _size(file: BinaryIO) -> int | None:
    """Of a real file, in bytes."""
    return os.fstat(file.fileno()).st_size or None


def _json(value: Any) -> str:
    return json.encode(value).decode()


def _flat(listed: "Listed") -> dict[str, Any]:
    """A signal as JSON has it: each receiver in one object."""
    receivers = [to_builtins(each.connection) | {"recent": to_builtins(each.recent)} for each in listed.receivers]
    return {"signal": listed.signal, "family": listed.family, "receivers": receivers}


def _receiver_line(receiver: "Receiver") -> str:
    connection, recent = receiver.connection, receiver.recent
    parts = [
        connection.name,
        connection.place,
        f"sender {connection.sender}" if connection.sender is not None else "",
        "async" if connection.is_async else "",
        "" if connection.is_weak else "strong",
        f"dispatch_uid {connection.dispatch_uid}" if connection.dispatch_uid is not None else "",
    ]
    if recent is not None and recent.calls:
        parts.append(f"{figure(recent.calls, 'call')}, {recent.duration_us / recent.calls / 1000:.1f} ms each")
        parts.append(f"{recent.raised:,} raised" if recent.raised else "")
    return "  ".join(part for part in parts if part)


def _printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _line(event: Event) -> str:
    """One send in a line, for people: without what a terminal would obey."""
    name = event.signal.rpartition(".")[2] if event.family != "custom" else event.signal
    pk = event.kwargs.get("instance", {}).get("pk") if isinstance(event.kwargs.get("instance"), dict) else None
    raised = [call for call in event.receivers if call.status == "raised"]
    took_us = event.duration_us if event.counted is UNSET else event.counted.duration_us
    parts = [
        event.ts[11:23],
        f"{name:<22}",
        f"{event.sender}{'' if pk is None else f' {pk}'}",
        figure(len(event.receivers), "receiver")
        if event.counted is UNSET
        else f"× {event.counted.sends:,} {event.status}",
        "" if took_us is None else f"{took_us / 1000:.1f} ms",
        "".join(f"{call.name} raised {call.error.type}" for call in raised if call.error),
        f"· {event.cause.name}" if event.cause else "",
    ]
    return _printable("  ".join(part for part in parts if part))
