"""Rows of the list.

Put together by hand, since thousands may be wanted in a second; every value passes through :func:`text` on its way in.
Each names the run it belongs to (see `livesignals.insights.runs`): the page folds those that stand beside each other.
"""

from collections.abc import Iterable
from functools import lru_cache
from math import log10
from urllib.parse import quote

from django.utils.translation import get_language, gettext, gettext_lazy, ngettext
from msgspec import UNSET

from livesignals.catalogue.builtin import BUILTIN
from livesignals.dashboard.markup import text
from livesignals.dashboard.values import duration_attributes, value_attributes
from livesignals.dashboard.words import duration, errors_of, family_of, number, sender_name, summary
from livesignals.events import Counted, Event
from livesignals.events.model import TransactionState
from livesignals.filters.text import cause_text
from livesignals.insights.runs import run_name
from livesignals.journal.accounts import OTHER_JOURNAL, PROCESS_ENDED
from livesignals.transport.flusher import NOT_IN_TIME

SLOW_US = 10_000.0  # as the filter's is:slow
BAR_STEPS = 20  # classes w0 … w20 of rows.css; inline styles are barred by the page's own policy
BRANCH_ROWS = 200
MAX_DEPTH = 12  # classes b1 … b12 of rows.css

_NOTICES = {
    "epoch": gettext_lazy("The journal was started anew; what was listed before is gone."),
    "journal": gettext_lazy("The journal could not be read and was set aside; a new one was started."),
}

#: Why sends are not stored; the reasons of the flusher and of `livesignals.journal.accounts`.
DROPPED = {
    "buffer full": gettext_lazy("buffer full"),
    "journal unavailable": gettext_lazy("journal unavailable"),
    "journal failed": gettext_lazy("journal failed"),
    "cannot be described": gettext_lazy("cannot be described"),
    NOT_IN_TIME: gettext_lazy("not written in time at exit"),
    PROCESS_ENDED: gettext_lazy("process ended"),
    OTHER_JOURNAL: gettext_lazy("stored in another journal"),
}


def row_html(event: Event, depth: int = 0) -> str:
    """One send as a list item of fixed height; *depth* says how far below another row it stands as part of its tree."""
    family = family_of(event)
    module, _, name = event.signal.rpartition(".")
    origin = f" <small>{text(module)}</small>" if module and event.signal not in BUILTIN else ""
    stamp = text(event.ts)
    return (
        f'<li class="{_classes(event, depth)}" tabindex="-1" data-id="{event.id}"'
        f' data-epoch="{text(event.epoch)}" data-signal="{text(event.signal)}"'
        f' data-sender="{text(event.sender)}" data-f="{family.key}" data-uid="{text(event.uid)}"'
        f' data-run="{run_name(event)}"{_parent(event)}{_pending(event)}{_reason(event)}>'
        f'<time datetime="{stamp}">{stamp[11:19]}<s>{stamp[19:23]}</s></time>'
        f'<span class="fam" title="{text(gettext(family.title))}">{family.letter}</span>'
        f'<span class="sig" title="{text(event.signal)}"{value_attributes("signal", event.signal)}>'
        f"{text(name)}{origin}</span>"
        f'<span class="snd" title="{text(event.sender)}"><span{value_attributes("sender", event.sender)}>'
        f"{text(sender_name(event.sender))}"
        f" <em>{text(summary(event))}</em></span>{_tags(event)}</span>"
        f"{_receivers(event)}{_bar(event.duration_us) if event.counted is UNSET else _total(event.counted)}"
        f"{_cause(event)}{_where(event)}</li>"
    )


def _parent(event: Event) -> str:
    return "" if event.parent is None else f' data-parent="{text(event.parent)}"'


def _pending(event: Event) -> str:
    """The transaction whose outcome the row waits for; of one that was given up it may still come."""
    transaction = event.transaction
    if transaction is None or transaction.state not in ("pending", "unknown"):
        return ""
    return f' data-tx="{text(transaction.id)}"'


def _reason(event: Event) -> str:
    """Why the row stands for sends that are not there."""
    if event.counted is UNSET:
        return ""
    return f' data-reason="{next((flag for flag in event.flags if flag and flag in COUNTED), "counted")}"'


def rows_html(events: Iterable[Event]) -> str:
    """The rows of *events*, which come newest first, as the list shows them."""
    return "".join(map(row_html, events))


def branch_html(made: Iterable[tuple[int, Event]]) -> str:
    """The rows below a send of what it *made*: (depth from 1, event), in order."""
    nodes = list(made)
    rows = "".join(row_html(node, depth) for depth, node in nodes[:BRANCH_ROWS])
    if len(nodes) <= BRANCH_ROWS:
        return rows
    left = len(nodes) - BRANCH_ROWS
    words = ngettext("and %(count)s more send", "and %(count)s more sends", left) % {"count": number(left)}
    return rows + f'<li class="notice branch">{text(words)}</li>'


def coalesced_html(first_id: int, last_id: int, count: int, run: str = "") -> str:
    """A row that stands for *count* sends that were left out, with ids from *first_id* to *last_id*.

    *run* is the name of the run that all of them belong to, where they belong to one.
    """
    label = gettext("+%(count)s more") % {"count": number(count)}
    hint = gettext("More came than the list takes at once. Click to see these.")
    of_run = f' data-run="{run}"' if run else ""
    return (
        f'<li class="more" data-first="{first_id}" data-last="{last_id}" data-count="{count}"'
        f' data-reason="slow reader"{of_run}>'
        f'<button type="button" title="{text(hint)}">{text(label)}</button></li>'
    )


def notice_html(kind: str, said: str = "") -> str:
    """A row that says what happened to the list itself.

    *kind* is gap, epoch or journal; the last two have words of their own when *said* is empty.
    """
    reason = ' data-reason="epoch reset"' if kind in _NOTICES else ""
    return _notice(kind, said or str(_NOTICES.get(kind, "")), reason)


def dropped_html(count: int, why: str) -> str:
    """A row for *count* sends that are not in the journal, *why* as the flusher says it or the journal itself."""
    if why == OTHER_JOURNAL:
        kind, reason = "elsewhere", "epoch reset"
        words = ngettext("%(count)s send is not here", "%(count)s sends are not here", count)
    else:
        kind, reason = "gap", "dropped at capture"
        words = ngettext(
            "%(count)s send was dropped before it was stored",
            "%(count)s sends were dropped before they were stored",
            count,
        )
    said = f"{words % {'count': number(count)}}: {DROPPED.get(why, why)}"
    return _notice(kind, said, f' data-reason="{reason}" data-why="{text(why)}" data-dropped="{count}"')


def _notice(kind: str, said: str, attributes: str = "") -> str:
    words = text(said)
    return f'<li class="notice" data-notice="{text(kind)}"{attributes} title="{words}">{words}</li>'


def gap_html(first_id: int, last_id: int, reason: str) -> str:
    """A row in place of sends with ids from *first_id* to *last_id* that could not be read any more."""
    count = last_id - first_id + 1
    words = ngettext("%(count)s send is missing here", "%(count)s sends are missing here", count)
    why = gettext("no longer retained") if reason == "evicted" else reason
    attributes = f' data-first="{first_id}" data-last="{last_id}" data-reason="{text(reason)}"'
    return _notice("gap", f"{words % {'count': number(count)}}: {why}", attributes)


def _classes(event: Event, depth: int) -> str:
    classes = ["row"]
    if depth:
        classes.append(f"branch b{min(depth, MAX_DEPTH)}")
    if errors_of(event) or (event.counted is not UNSET and event.status == "raised"):
        classes.append("err")
    if event.status == "skipped":
        classes.append("skip")
    if event.counted is not UNSET:
        classes.append("sum")
    if event.parent is not None:
        classes.append("nested")
    if event.duration_us is not None and event.duration_us >= SLOW_US:
        classes.append("slow")
    if event.transaction is not None and event.transaction.state == "rolled_back":
        classes.append("rb")
    return " ".join(classes)


def _tags(event: Event) -> str:
    """What is out of the ordinary, in words."""
    if event.counted is not UNSET:
        times = f"× {number(event.counted.sends)}"
        if event.status == "raised":
            return _tag(f"{times} {gettext('raised')}", "hot") + _counted_word(event)
        if event.status == "skipped":
            return _tag(f"{times} {gettext('skipped: no receiver')}") + _counted_word(event)
        return _tag(times) + _counted_word(event)
    tags = ""
    if errors := errors_of(event):
        more = f" × {len(errors)}" if len(errors) > 1 else ""
        kind, message = errors[0]
        words = text(f"{kind.rpartition('.')[2]}{more}")
        tags += f'<b class="tag hot"{_title(message)}{value_attributes("exc", kind)}>{words}</b>'
    if event.duration_us is not None and event.duration_us >= SLOW_US:
        tags += _tag(gettext("slow"), "warm", gettext("it took 10 ms or longer"))
    if event.status == "skipped":
        tags += _tag(gettext("skipped: no receiver"))
    for flag in event.flags:
        if flag in _FLAGS:
            word, meaning = _FLAGS[flag]
            tags += _tag(str(word), "", str(meaning))
    return tags if event.transaction is None else tags + _outcome(event.transaction.state, get_language())


#: Flags that a reader of the row must know of.
_FLAGS = {
    "truncated": (gettext_lazy("truncated"), gettext_lazy("not everything that it carried was kept")),
    "deeper": (gettext_lazy("deeper"), gettext_lazy("the sends that it made itself were left out, for their depth")),
    "after_response": (gettext_lazy("after response"), gettext_lazy("made when the request's response had been sent")),
    "sampled": (
        gettext_lazy("sampled"),
        gettext_lazy("kept as one of many, or for an error; the others are counted"),
    ),
}


@lru_cache
def _outcome(state: TransactionState, language: str | None) -> str:
    """How the transaction ended, in the *language* that is active; rows.js changes it when that becomes known."""
    match state:
        case "rolled_back":
            return _tag(gettext("rolled back"), "hot")
        case "committed":
            return f'<i class="tx" title="{text(gettext("committed"))}">✓</i>'
        case "pending":
            return f'<i class="tx" title="{text(gettext("its transaction is still open"))}">○</i>'
        case "unknown":
            return f'<i class="tx" title="{text(gettext("the end of its transaction was not seen"))}">?</i>'
    return ""


def _tag(words: str, kind: str = "", title: str = "") -> str:
    return f'<b class="tag{kind and " " + kind}"{_title(title)}>{text(words)}</b>'


#: Why sends were counted, by the flag of their count, in a row and in a sentence.
COUNTED = {
    "": (gettext_lazy("counted"), gettext_lazy("Counted instead of kept, as COUNT says.")),
    "sampled": (
        gettext_lazy("counted, sampled"),
        gettext_lazy("SAMPLE keeps one of so many sends and counts the others. Those that raise are kept."),
    ),
    "flooded": (
        gettext_lazy("counted, over the ceiling"),
        gettext_lazy("Sent after as many as FLOOD keeps in a second."),
    ),
    "deep": (
        gettext_lazy("counted, too deep"),
        gettext_lazy("Counted, since nested deeper than is kept: a recursion, as it seems."),
    ),
}


def why_counted(event: Event) -> tuple[str, str]:
    """Why the sends of a count are not kept: in a word or two, and in a sentence."""
    flag = next((flag for flag in event.flags if flag in COUNTED), "")
    word, sentence = COUNTED[flag]
    return str(word), str(sentence)


def _counted_word(event: Event) -> str:
    word, sentence = why_counted(event)
    return f" <small{_title(sentence)}>{text(word)}</small>"


def _receivers(event: Event) -> str:
    if event.status == "skipped" or event.counted is not UNSET:
        return '<span class="rc">—</span>'
    names = "\n".join(call.name for call in event.receivers[:8])
    count = len(event.receivers)
    return f'<span class="rc"{_title(names)}{value_attributes("n", count)}>{count}</span>'


def _cause(event: Event) -> str:
    """What it ran inside, and the way to all sends of that."""
    cause = event.cause
    if cause is None:
        return '<span class="cause"></span>'
    clickable = value_attributes("cause", cause_text(cause))
    words = f'<span class="cause"{_title(gettext(cause.kind))}{clickable}>{text(cause.name)}</span>'
    if not cause.id or not event.epoch:
        return words
    title = f"{gettext(cause.kind)} {cause.name}"
    return f'{words}<a class="go" href="{text(cause_path(event))}" tabindex="-1"{_title(title)}>↗</a>'


def cause_path(event: Event) -> str:
    """The page of the event's cause, from the dashboard's own; "" without a cause."""
    cause = event.cause
    if cause is None or not cause.id:
        return ""
    return _path_of_cause(event.epoch, cause.id)


@lru_cache(maxsize=1_024)
def _path_of_cause(epoch: str, cause_id: str) -> str:
    return f"causes/{quote(epoch, safe='')}/{quote(cause_id, safe='')}/"


def _where(event: Event) -> str:
    """The columns that are not shown unless they are chosen."""
    place = (event.where or "").partition(" ")[0]
    process = event.process
    who = f"{process.host} · {process.pid} · {event.thread}"
    return (
        f'<span class="where"{_title(event.where or "")}>{text(place)}</span>'
        f'<span class="proc" title="{text(who)}">{process.pid}</span>'
    )


def _bar(duration_us: float | None) -> str:
    """A duration in words behind a bar on a log scale, from 10 µs to 1 s."""
    if duration_us is None:
        return '<span class="bar"></span>'
    decades = log10(max(duration_us, 10.0)) - 1
    width = min(BAR_STEPS, 1 + int(decades / 5 * (BAR_STEPS - 1)))
    bar = f'<i class="w{width}"></i><u>{duration(duration_us)}</u>'
    return f'<span class="bar"{duration_attributes(duration_us)}>{bar}</span>'


def _total(counted: Counted) -> str:
    """The time of all sends together, where a single send has its bar."""
    words = gettext("all of them together")
    return f'<span class="bar" title="{text(words)}"><u>Σ {duration(counted.duration_us)}</u></span>'


def _title(words: str) -> str:
    return f' title="{text(words)}"' if words else ""
