"""The one table of fields: parser, predicate, SQL, completion, English and help are all made from it.

Its words are English, and keys into the catalogue of translations for whoever shows them.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from operator import attrgetter

from django.utils.translation import gettext

from livesignals.catalogue.builtin import FAMILIES
from livesignals.events import Event
from livesignals.exceptions import FilterError
from livesignals.filters.flags import FLAGS, Flagged, Traits
from livesignals.filters.kinds import CauseText, Choice, Durations, Kind, Moments, Numbers, Payloads, Text
from livesignals.filters.matchers import Dotted, DottedGlob
from livesignals.filters.sources import Each, Name, One, Payload, Source
from livesignals.filters.sql import folded
from livesignals.filters.text import cause_text, fold

#: A step beyond this many in a path of keys is refused; snapshots are not that deep.
MAX_STEPS = 16
_STEP = re.compile(r'\.(?:"((?:[^"\\]|\\.)*)"|([^."]+))', re.DOTALL)


def _nothing(event: Event) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Field:
    """What can stand before a colon."""

    name: str
    kind: Kind
    source: Source
    noun: str  # in English: "the signal"
    help: str
    example: str
    #: An event's values as people write them: offered by completion, and what can be clicked and counted.
    seen: Callable[[Event], Iterable[str]] = _nothing

    @property
    def none(self) -> str:
        """The opposite of the noun, where there are many: "no receiver"."""
        return f"no {self.noun.partition(' ')[2]}"


def field_named(name: str, column: int) -> Field:
    """The field of that *name*, which is ``kwargs.`` and a path of keys for what a send carried.

    Raises FilterError, at *column*, with the nearest name there is.
    """
    head, dot, _ = name.partition(".")
    known = _BY_NAME.get(head.lower())
    if known is PAYLOAD:
        steps = tuple(plain or unescaped(in_quotes) for in_quotes, plain in _STEP.findall(name))
        if not steps or len(steps) > MAX_STEPS:
            raise FilterError(gettext("kwargs needs 1 to %d keys") % MAX_STEPS, column, PAYLOAD.example)
        if "\0" in name:
            # SQLite reads keys up to it
            raise FilterError(gettext("a key cannot hold a NUL"), column, gettext("keys without NUL"))
        return payload_field(steps)
    if known is not None and not dot:
        return known
    expected = gettext("a field: %s") % ", ".join(_BY_NAME)
    near = get_close_matches(head.lower(), _BY_NAME, 1)
    hint = gettext("did you mean %s?") % near[0] if near else gettext("to look for the words, put them in quotes")
    raise FilterError(gettext('there is no field "%s"') % name + f"; {hint}", column, expected)


def payload_field(steps: tuple[str, ...]) -> Field:
    """The field for one path of keys into what a send carried."""
    name = payload_name(steps)
    return Field(name, PAYLOAD.kind, Payload(steps), ".".join(steps), PAYLOAD.help, PAYLOAD.example)


def payload_name(steps: Iterable[str]) -> str:
    """How the field for a path of keys is written."""
    return "kwargs" + "".join(f".{step}" if _PLAIN_STEP.fullmatch(step) else f".{quoted(step)}" for step in steps)


_PLAIN_STEP = re.compile(r'[^\s()":,<>=!.]+')


def quoted(text: str) -> str:
    """*text* in quotes, as the grammar reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unescaped(text: str) -> str:
    """What stands between two quotes, without its backslashes."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _model(event: Event) -> str | None:
    return fold(event.sender) if event.family == "model" else None


def _path(event: Event) -> str | None:
    kind, _, name = fold(cause_text(event.cause)).partition(" ")
    _, space, path = name.partition(" ")
    return path if kind == "request" and space else None


def _command(event: Event) -> str | None:
    kind, _, name = fold(cause_text(event.cause)).partition(" ")
    return name.removeprefix("manage.py ") if kind == "command" else None


def _user(event: Event) -> str | None:
    user = getattr(event.cause, "user", None)
    return fold(user) if isinstance(user, str) else None


def _errors(event: Event) -> list[str]:
    errors = [event.error, *(call.error for call in event.receivers)]
    return [error.type for error in errors if error is not None]


def _seen_of_cause(kind: str) -> Callable[[Event], Iterable[str]]:
    """The names of causes of one kind."""
    return lambda event: () if event.cause is None or event.cause.kind != kind else (event.cause.name,)


def _seen_path(event: Event) -> Iterable[str]:
    cause = event.cause
    return () if cause is None or cause.kind != "request" else filter(None, (cause.name.partition(" ")[2],))


_SENDER = folded("sender")
_CAUSE = folded("cause")
_USER = folded("(body ->> '$.cause.user')")
_REQUEST = f"substr({_CAUSE}, 9)"  # what follows "request "
_COMMAND = f"substr({_CAUSE}, 9)"  # what follows "command "

_NAME = Text(Dotted, DottedGlob)
_TEXT = Text()
_IDENTIFIER = Text(identifier=True)

PAYLOAD = Field(
    "kwargs",
    Payloads(),
    Payload(()),
    "what it carried",
    "what the send carried, by a path of keys; instance.status is instance.fields.status, and"
    " a list matches by any of its items",
    "kwargs.instance.status:paid",
)

FIELDS: tuple[Field, ...] = (
    Field(
        "signal",
        _NAME,
        Name(lambda event: fold(event.signal), folded("signal"), attrgetter("signal")),
        "the signal",
        "the signal, by its dotted name or the end of it",
        "signal:post_save",
        lambda event: (event.signal,),
    ),
    Field(
        "family",
        Choice(
            {family.key: f"{family.title} signals" for family in FAMILIES.values()},
            {family.key: family.title for family in FAMILIES.values()},
        ),
        One(lambda event: event.family, "family"),
        "the family",
        "the family of the signal, or how its name begins",
        "family:model,auth",
    ),
    Field(
        "sender",
        _NAME,
        Name(lambda event: fold(event.sender), _SENDER, attrgetter("sender")),
        "the sender",
        "the sender, by its dotted name or the end of it",
        "sender:shop.Order",
        lambda event: (event.sender,),
    ),
    Field(
        "receiver",
        _NAME,
        Each(
            lambda event: [call.name for call in event.receivers],
            "SELECT value ->> 'name' AS value FROM json_each(body, '$.receivers') WHERE n > 0",
        ),
        "a receiver",
        "any receiver that was called, by its dotted name or the end of it",
        "receiver:*stock*",
        lambda event: [call.name for call in event.receivers],
    ),
    Field(
        "app",
        _TEXT,
        One(
            lambda event: fold(event.sender).partition(".")[0],
            f"substr({_SENDER}, 1, instr({_SENDER} || '.', '.') - 1)",
        ),
        "the app",
        "the app of the sender: its name up to the first dot",
        "app:shop",
        lambda event: (event.sender.partition(".")[0],),
    ),
    Field(
        "model",
        _NAME,
        One(_model, f"iif(family = 'model', {_SENDER}, NULL)"),
        "the model",
        "the model that sent a model signal",
        "model:Order",
        lambda event: (event.sender,) if event.family == "model" else (),
    ),
    Field(
        "pk",
        PAYLOAD.kind,
        Payload(("instance", "pk")),
        "the primary key",
        "the primary key of the instance",
        "pk:7",
    ),
    Field(
        "changed",
        _TEXT,
        Each(
            lambda event: event.changes or () if event.family == "model" else (),
            "SELECT key AS value FROM json_each(body, '$.changes')"
            " WHERE family = 'model' AND json_type(body, '$.changes') = 'object'",
        ),
        "a changed field",
        "any field that a save changed, where that is known",
        "changed:status",
        lambda event: event.changes or () if event.family == "model" else (),
    ),
    Field(
        "method",
        Choice(
            {
                "send": "send()",
                "asend": "asend()",
                "send_robust": "send_robust()",
                "asend_robust": "asend_robust()",
            }
        ),
        One(lambda event: event.method, "method"),
        "the method",
        "the method that sent it",
        "method:send_robust",
    ),
    Field(
        "dur",
        Durations(),
        One(lambda event: event.duration_us, "duration_us"),
        "the duration",
        "how long the send took; milliseconds without a unit (us, ms, s, m, h)",
        "dur>5ms",
    ),
    Field(
        "n",
        Numbers(),
        One(lambda event: len(event.receivers), "n"),
        "the number of receivers",
        "how many receivers were called",
        "n>=3",
    ),
    Field(
        "exc",
        _NAME,
        Each(
            _errors,
            "SELECT body ->> '$.error.type' AS value UNION ALL"
            " SELECT value ->> '$.error.type' FROM json_each(body, '$.receivers') WHERE n > 0",
        ),
        "an error",
        "the type of an error that the send or a receiver raised",
        "exc:ValueError",
        _errors,
    ),
    Field(
        "is",
        Choice({word: flag.help for word, flag in FLAGS.items()}, matcher=Flagged),
        Traits(lambda event: event, "1"),
        "",
        "a trait of the send",
        "is:error",
    ),
    Field(
        "cause",
        CauseText(),
        One(lambda event: fold(cause_text(event.cause)), _CAUSE),
        "the cause",
        "what it ran inside: request, command, task, test, shell, process, or words out of its name",
        "cause:request",
        lambda event: () if event.cause is None else (cause_text(event.cause),),
    ),
    Field(
        "path",
        _TEXT,
        One(
            _path,
            f"iif(substr({_CAUSE}, 1, 8) = 'request ' AND instr({_REQUEST}, ' '),"
            f" substr({_REQUEST}, instr({_REQUEST}, ' ') + 1), NULL)",
        ),
        "the path",
        "the path of the request that it ran inside",
        "path:/orders/*",
        _seen_path,
    ),
    Field(
        "user",
        _TEXT,
        One(
            _user,
            f"iif(json_type(body, '$.cause.user') = 'text', {_USER}, NULL)",
        ),
        "the user",
        "the user of the request that it ran inside",
        "user:alice",
        lambda event: () if event.cause is None or event.cause.user is None else (event.cause.user,),
    ),
    Field(
        "command",
        _TEXT,
        One(
            _command,
            f"iif(substr({_CAUSE}, 1, 8) = 'command ', iif(substr({_COMMAND}, 1, 10) = 'manage.py ',"
            f" substr({_COMMAND}, 11), {_COMMAND}), NULL)",
        ),
        "the command",
        "the management command that it ran inside",
        "command:migrate",
        lambda event: [name.removeprefix("manage.py ") for name in _seen_of_cause("command")(event)],
    ),
    Field(
        "pid",
        Numbers(),
        One(lambda event: event.process.pid, "pid"),
        "the process id",
        "the process that sent it",
        "pid:4711",
        lambda event: (str(event.process.pid),),
    ),
    Field(
        "host",
        _TEXT,
        One(lambda event: fold(event.process.host), folded("host")),
        "the host",
        "the machine that sent it",
        "host:web-1",
        lambda event: (event.process.host,),
    ),
    Field(
        "thread",
        _TEXT,
        One(lambda event: fold(event.thread), folded("thread")),
        "the thread",
        "the thread that sent it",
        "thread:MainThread",
        lambda event: (event.thread,),
    ),
    Field(
        "db",
        _TEXT,
        One(
            lambda event: None if event.transaction is None else fold(event.transaction.db),
            folded("db"),
        ),
        "the database",
        "the alias of the database of its transaction",
        "db:default",
        lambda event: () if event.transaction is None else (event.transaction.db,),
    ),
    Field(
        "id",
        Numbers(),
        One(lambda event: event.id, "id"),
        "the id",
        "its number in the journal",
        "id>4711",
    ),
    Field(
        "uid",
        _IDENTIFIER,
        One(lambda event: event.uid, "uid"),
        "the uid",
        "its own identifier",
        "uid:0f3a*",
    ),
    Field(
        "parent",
        _IDENTIFIER,
        One(lambda event: event.parent, "parent"),
        "the parent",
        "the uid of the send whose receiver made this one",
        "parent:*",
    ),
    Field(
        "root",
        _IDENTIFIER,
        One(lambda event: event.root, "root"),
        "the root",
        "the uid of the topmost send of its tree",
        "root:0f3a*",
    ),
    Field(
        "ts",
        Moments(),
        One(lambda event: event.ts, "ts"),
        "the time",
        "when it began, in UTC without an offset; the beginning of a time is all of it: 2026-01, January",
        "ts:2026-01-02..2026-01-03",
    ),
    PAYLOAD,
)

_BY_NAME = {field.name: field for field in FIELDS}
