"""What ``manage.py livesignals doctor`` finds: what is wrong, and what to do about it."""

import asyncio
import os
import platform
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import apsw
from django.conf import settings as django_settings
from django.core.checks import ERROR
from msgspec import Struct

from livesignals import checks, conf
from livesignals.events.record import microseconds
from livesignals.exceptions import JournalError
from livesignals.journal import Counts, Indexed, Journal, ProcessReport, Retention
from livesignals.journal.accounts import OTHER_JOURNAL
from livesignals.journal.liveness import HEARTBEAT_SECONDS, find_gone, notice_gone, silence
from livesignals.journal.redis_address import without_password
from livesignals.management.figures import figure
from livesignals.transport.layer import channel_layer

#: Clocks that differ by less do not mislead anybody.
CLOCK_SECONDS = 5.0
LAYER_SECONDS = 5.0
DISTRIBUTIONS = ("Django", "channels", "daphne", "channels-redis", "redis", "apsw", "msgspec")


class Finding(Struct, frozen=True):
    """Something that is wrong."""

    level: Literal["error", "warning"]
    about: Literal["settings", "journal", "layer", "clock", "versions", "lag"]
    message: str
    hint: str


class Diagnosis(Struct, frozen=True):
    """What doctor tells. Without figures where the journal cannot be used."""

    journal: str  # its URL, without credentials
    store: str  # in what server, and how that keeps it; "" where that goes without saying
    capture: bool  # whether sends are recorded
    layer: str  # the class of the channel layer
    versions: dict[str, str]
    counts: Counts | None
    retention: Retention | None
    indexed: Indexed | None
    processes: list[ProcessReport]
    findings: list[Finding]  # errors last: there they are seen first

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong but what is only worth a warning."""
        return all(finding.level != "error" for finding in self.findings)


def examine(journal: Journal) -> Diagnosis:
    """Look at everything. Raises ConfigurationError."""
    settings = conf.read()
    problems = journal.check()
    can_be_used = all(problem.level != "error" for problem in problems)
    layer = _layer(journal if can_be_used else None)
    versions = installed()
    findings = [
        *settings_findings(),
        *version_findings(versions, f"{type(layer).__module__}.{type(layer).__qualname__}"),
        *layer_findings(layer),
        *(Finding(problem.level, "journal", problem.message, problem.hint) for problem in problems),
    ]
    counts, retention, indexed, processes, store = None, None, None, list[ProcessReport](), ""
    if can_be_used:
        try:
            notice_gone(journal)
            counts, retention = journal.counts(), journal.retention()
            indexed, processes, store = journal.indexed(), journal.processes(), journal.described()
            findings += drop_findings(counts)
            findings += [*clock_findings(_newest_us(journal), processes), *lag_findings(processes)]
        except JournalError as error:
            findings.append(Finding("error", "journal", str(error), error.hint))
    return Diagnosis(
        journal=without_password(conf.journal_url(settings)),
        store=store,
        capture=conf.is_enabled(settings),
        layer=type(layer).__qualname__,
        versions=versions,
        counts=counts,
        retention=retention,
        indexed=indexed,
        processes=processes,
        findings=sorted(findings, key=lambda finding: finding.level == "error"),
    )


def _layer(journal: Journal | None) -> Any:
    """What carries batches: over hosts where the journal announces them, else within a server."""
    try:
        announcements = journal.announcements() if journal is not None else None
    except JournalError:
        announcements = None  # that it cannot be used is found anyway
    if announcements is None:
        return channel_layer()
    from channels_redis.pubsub import RedisPubSubChannelLayer

    return RedisPubSubChannelLayer(hosts=announcements.hosts, prefix=announcements.prefix)


def drop_findings(counts: Counts) -> Iterator[Finding]:
    """That sends were lost; those in another journal are not."""
    dropped = {reason: count for reason, count in counts.dropped.items() if reason != OTHER_JOURNAL}
    lost = sum(dropped.values())
    if lost:
        yield Finding(
            "warning",
            "lag",
            f"{lost:,} of {figure(counts.captured, 'send')} {'was' if lost == 1 else 'were'} dropped",
            f"Reasons: {', '.join(f'{reason} {count:,}' for reason, count in dropped.items())}."
            " SAMPLE, COUNT and FLOOD leave less to write.",
        )


def settings_findings() -> Iterator[Finding]:
    """What the settings have wrong, and what they expose."""
    for message in checks.check_settings(None):
        level: Literal["error", "warning"] = "error" if message.level >= ERROR else "warning"
        yield Finding(level, "settings", message.msg, message.hint or "")
    if not django_settings.DEBUG and conf.is_enabled(conf.read()) and "*" in django_settings.ALLOWED_HOSTS:
        yield Finding(
            "warning",
            "settings",
            "ALLOWED_HOSTS has '*': a dashboard that is mounted answers at any name, also one that somebody else's DNS"
            " points here.",
            "Name the project's hosts in ALLOWED_HOSTS.",
        )


def installed() -> dict[str, str]:
    """The versions of what livesignals stands on, by name; what is not installed is left out."""
    versions = {"Python": platform.python_version(), "SQLite": apsw.sqlite_lib_version()}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


class _Known(Struct, frozen=True):
    """Versions that are known to be wrong: those from *first* on, below *end*."""

    name: str
    first: str
    end: str
    level: Literal["error", "warning"]
    problem: str
    layer: str = ""  # only with a channel layer of this class


_KNOWN = (
    _Known("Python", "3.14", "99", "warning", "livesignals was not tested with it"),
    _Known("Django", "0", "5.2", "error", "its dispatch is not the one that is recorded; sends may be missing"),
    _Known("Django", "6.2", "99", "warning", "livesignals was not tested with it; its dispatch may have changed"),
    _Known("channels", "0", "4.3", "error", "its consumer is not the one that the dashboard builds on"),
    _Known("channels", "5", "99", "warning", "livesignals was not tested with it"),
    _Known("daphne", "0", "4.2.3", "error", "it has two published vulnerabilities"),
    _Known("SQLite", "0", "3.51.3", "error", "a fault in it can break a journal that two processes write to"),
    _Known("msgspec", "0", "0.19", "error", "it lacks what events are encoded with"),
    _Known("channels-redis", "0", "4.3", "error", "it is not made for channels 4.3", "channels_redis."),
    _Known(
        "redis",
        "8",
        "99",
        "warning",
        "with this layer a page that is idle for 5 s loses its connection; the pub/sub layer does not",
        "channels_redis.core.",
    ),
)


def version_findings(versions: Mapping[str, str], layer: str) -> Iterator[Finding]:
    """*layer* is the dotted name of the channel layer's class."""
    for known in _KNOWN:
        found = versions.get(known.name)
        if found is None or not layer.startswith(known.layer):
            continue
        if _numbers(known.first) <= _numbers(found) < _numbers(known.end):
            package = {"SQLite": "apsw"}.get(known.name, known.name)
            takes = f"{known.end} or newer" if known.first == "0" else f"one below {known.first}"
            yield Finding(
                "error" if known.level == "error" else "warning",
                "versions",
                f"{known.name} {found}: {known.problem}",
                f"Install {package}: {known.name} {takes}.",
            )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version.partition("+")[0])[:3]))


def layer_findings(layer: Any) -> Iterator[Finding]:
    """Whether a message goes round through a channel layer."""
    try:
        asyncio.run(asyncio.wait_for(_go_round(layer), LAYER_SECONDS))
    except TimeoutError:
        problem = f"no message came back within {LAYER_SECONDS:.0f} s"
    except Exception as error:
        problem = f"{type(error).__qualname__}: {re.sub(r'//[^/@ ]*@', '//…@', str(error))}"
    else:
        return
    name = type(layer).__qualname__
    hint = "Pages show nothing new without it. Look whether what it connects to runs and can be reached from this host."
    yield Finding("error", "layer", f"the channel layer {name} does not carry messages ({problem})", hint)


async def _go_round(layer: Any) -> None:
    group = f"livesignals.doctor.{secrets.token_hex(8)}"
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    try:
        await layer.group_send(group, {"type": "livesignals.doctor", "pid": os.getpid()})
        message = await layer.receive(channel)
        assert message == {"type": "livesignals.doctor", "pid": os.getpid()}
    finally:
        await layer.group_discard(group, channel)


def clock_findings(
    newest_us: int | None, processes: Sequence[ProcessReport], now: float | None = None
) -> Iterator[Finding]:
    """What comes from the future, as this host's clock has it."""
    now = time.time() if now is None else now
    hint = "Let both hosts keep their clocks by NTP. Until then ages, lags and places on the recorder's bar mislead."
    ahead: dict[str, float] = {}
    for process in processes:
        ahead[process.host] = max(ahead.get(process.host, 0.0), process.seen_ts / 1e6 - now)
    for host, seconds in ahead.items():
        if seconds > CLOCK_SECONDS:
            message = f"processes of {host} report from {_seconds(seconds)} in the future"
            yield Finding("warning", "clock", f"{message}: its clock is ahead, or this one behind", hint)
    if (
        newest_us is not None
        and newest_us / 1e6 - now > CLOCK_SECONDS
        and not any(seconds > CLOCK_SECONDS for seconds in ahead.values())
    ):
        message = f"the newest send is from {_seconds(newest_us / 1e6 - now)} in the future: a clock was set back since"
        yield Finding("warning", "clock", message, hint)


def lag_findings(processes: Sequence[ProcessReport], now: float | None = None) -> Iterator[Finding]:
    """Processes that are alive and should have been heard of."""
    gone = {report.process for report in find_gone(processes, now)}
    for report in processes:
        seconds = silence(report, now)
        if report.process in gone or seconds <= 2 * HEARTBEAT_SECONDS:
            continue
        waiting = f", with {figure(report.buffered, 'send')} waiting" if report.buffered else ""
        yield Finding(
            "warning",
            "lag",
            f"process {report.host} {report.pid} {report.role} was not heard of for {_seconds(seconds)}{waiting}",
            "It runs: it hangs, is stopped, or cannot use the journal, as its log then says. One that has forked and"
            " sent nothing since is silent too, and well.",
        )


def _newest_us(journal: Journal) -> int | None:
    newest = journal.read(journal.bounds().last - 1, 1)
    return microseconds(newest[0].ts) if newest else None


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
