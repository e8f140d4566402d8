"""``manage.py livesignals serve | tail | export | prune | doctor``."""

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from msgspec import UNSET

from livesignals import conf
from livesignals.events import Event, encode
from livesignals.exceptions import FilterError, JournalError, LiveSignalsError
from livesignals.filters import Filter, parse
from livesignals.journal import Journal
from livesignals.transport.process import get_journal

POLL_SECONDS = 0.05
READ_EVENTS = 500


class Command(BaseCommand):
    """See every signal send of this project."""

    help = "See every signal send of this project: in a browser (serve) or in the terminal (tail)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

        serve = actions.add_parser("serve", help="the dashboard, for whatever serves the project")
        serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
        serve.add_argument("--port", type=int, default=8900, help="port to listen on (%(default)s)")

        tail = actions.add_parser("tail", help="sends as they happen")
        tail.add_argument("filter", nargs="*", default=[], help="such as: signal:post_save dur>5ms")
        tail.add_argument("--json", action="store_true", help="one JSON object a line")
        tail.add_argument(
            "--since", default=None, metavar="ID|start", help="begin after this id; start: with the oldest"
        )
        tail.add_argument("--no-follow", action="store_true", help="end with what is there now")

        export = actions.add_parser("export", help="what is retained, for other programs")
        export.add_argument("filter", nargs="*", default=[], help="such as: sender:shop.* -is:error")
        export.add_argument("--format", choices=["jsonl"], default="jsonl", help="jsonl: one JSON object a line")
        export.add_argument("-o", "--output", default="-", metavar="FILE", help="where to; - is standard output")

        prune = actions.add_parser("prune", help="forget old events now")
        prune.add_argument("--keep", type=int, default=0, metavar="N", help="the newest events to keep (%(default)s)")

        actions.add_parser("doctor", help="what is wrong, and what to do about it")

    def run_from_argv(self, argv: list[str]) -> None:
        super().run_from_argv([*argv[:2], *map(_as_argument, argv[2:])])

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, options["action"])(**options)
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
            for event in _follow(
                journal,
                chosen,
                after,
                bounds.epoch,
                tell=self.stderr.write,
                follow=not no_follow,
                is_over=is_interrupted,
            ):
                self.stdout.write(encode(event).decode() if json else _line(event))
                self.stdout.flush()

    def export(self, *, filter: list[str], output: str, **options: Any) -> None:
        """Write what is retained, oldest first."""
        chosen, journal = parse(" ".join(filter)), get_journal()
        bounds = journal.bounds()
        count = 0
        try:
            with nullcontext(sys.stdout) if output == "-" else Path(output).open("w", encoding="utf-8") as file:
                for event in _follow(
                    journal,
                    chosen,
                    bounds.first - 1,
                    bounds.epoch,
                    tell=self.stderr.write,
                    follow=False,
                    until=bounds.last,
                ):
                    file.write(encode(event).decode() + "\n")
                    count += 1
                file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            where = "standard output" if output == "-" else output
            raise CommandError(f"{where} cannot be written: {error.strerror or error}.") from None
        if output != "-":
            self.stderr.write(f"{count} events written to {output}")

    def prune(self, *, keep: int, **options: Any) -> None:
        """Forget old events now."""
        if keep < 0:
            raise CommandError(f"--keep takes a number of events, not {keep}.")
        self.stdout.write(f"{get_journal().prune(keep_events=keep)} events forgotten")

    def doctor(self, **options: Any) -> None:
        """Say what is wrong. Exits with 1 when something is."""
        settings = conf.read()
        self.stdout.write(f"journal   {conf.journal_url(settings)}")
        self.stdout.write(f"capture   {'on' if conf.is_enabled(settings) else 'off: DEBUG is off, ENABLED is not set'}")
        journal = get_journal()
        problems = journal.check()
        if not any(problem.level == "error" for problem in problems):
            self._tell_counts(journal)
        for problem in problems:
            style = self.style.ERROR if problem.level == "error" else self.style.WARNING
            self.stdout.write(style(f"{problem.level}: {problem.message}") + f"\n  {problem.hint}")
        if any(problem.level == "error" for problem in problems):
            raise SystemExit(1)
        if not problems:
            self.stdout.write(self.style.SUCCESS("nothing is wrong"))

    def _tell_counts(self, journal: Journal) -> None:
        counts = journal.counts()
        self.stdout.write(
            f"captured  {counts.captured} = {counts.stored} stored + {sum(counts.dropped.values())} dropped"
            f" + {counts.buffered} on their way"
        )
        for reason, count in counts.dropped.items():
            self.stdout.write(f"  dropped  {count}: {reason}")
        if counts.counted:
            self.stdout.write(f"counted   {counts.counted:,} sends instead of kept, as COUNT and FLOOD say")
        self.stdout.write(f"retained  {counts.retained} events, {counts.bytes} bytes")
        indexed = journal.indexed()
        if indexed is not None:
            self.stdout.write(f"indexed   {indexed.events} of them for searches, {indexed.bytes} bytes")
        for process in journal.processes():
            age = max(0.0, time.time() - process.seen_ts / 1e6)
            self.stdout.write(
                f"process   {process.host} {process.pid} {process.role}: {process.stored} stored, seen {age:.0f} s ago"
            )


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


def _follow(
    journal: Journal,
    chosen: Filter,
    after: int,
    epoch: str,
    *,
    tell: Callable[[str], object],
    follow: bool,
    until: int | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Matching events after an id, in order; with *follow*, for ever. What has been evicted meanwhile is told."""
    while True:
        bounds = journal.bounds()
        if bounds.epoch != epoch:
            tell("the journal began anew: ids start over under another epoch")
            epoch, after = bounds.epoch, bounds.first - 1
        elif bounds.first > after + 1:
            tell(f"gap: {bounds.first - 1 - after} events from id {after + 1} on were evicted before they were read")
            after = bounds.first - 1
        found = journal.search_forward(chosen, after=after, limit=READ_EVENTS)
        for event in found.events:
            if is_over() or (until is not None and event.id > until):
                return
            yield event
        after = found.scanned_to
        if not found.exhausted:
            continue
        if not follow or (until is not None and after >= until):
            return
        while not journal.changed():
            if is_over():
                return
            time.sleep(POLL_SECONDS)


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
        f"{len(event.receivers)} receivers" if event.counted is UNSET else f"× {event.counted.sends:,} {event.status}",
        "" if took_us is None else f"{took_us / 1000:.1f} ms",
        "".join(f"{call.name} raised {call.error.type}" for call in raised if call.error),
        f"· {event.cause.name}" if event.cause else "",
    ]
    return "".join(c if c.isprintable() else "\ufffd" for c in "  ".join(part for part in parts if part))
