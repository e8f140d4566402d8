"""Events as HTML: rows of the list, the detail pane, the page around them.

Runs on any thread and on the event loop: no I/O after a template's first use. Rows are put together by
hand, since thousands may be wanted in a second; every value passes through :func:`_text` on its way in.
The rest are Django templates of an engine of our own, so that nothing hangs on the project's ``TEMPLATES``.
"""

from collections.abc import Callable, Iterable
from html import escape
from math import log10
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from django.template import Context, Engine, Template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, get_language_bidi, gettext, gettext_lazy, ngettext
from msgspec import UNSET

from livesignals.catalogue.builtin import BUILTIN, FAMILIES, Family
from livesignals.dashboard.examples import EXAMPLES
from livesignals.dashboard.values import duration_attributes, value_attributes
from livesignals.events import Counted, Event, encode
from livesignals.filters.fields import MAX_STEPS, Field, payload_name
from livesignals.filters.payload import Steps, is_instance
from livesignals.filters.text import cause_text, scalar_text
from livesignals.transport.faceting import FACETS

SLOW_US = 10_000.0  # as the filter's is:slow
BAR_STEPS = 20  # classes w0 … w20 of rows.css; inline styles are barred by the page's own policy
SUMMARY_LENGTH = 120
TREE_LIMIT = 200
VALUE_DEPTH = 8
MASKED = "••••••"

_UNKNOWN_FAMILY = Family("other", "Other", "?")

_NOTICES = {
    "epoch": gettext_lazy("The journal was started anew; what was listed before is gone."),
    "journal": gettext_lazy("The journal could not be read and was set aside; a new one was started."),
}


class _Engine(Engine):
    """Renders without the instrumentation behind template_rendered: a page that lists sends must not make any."""

    def get_template(self, template_name: str) -> Template:
        template = super().get_template(template_name)
        # What is instrumented is Template._render, also for a template that another one includes.
        template._render = template.nodelist.render  # type: ignore[attr-defined]
        return template


_engine = _Engine(
    dirs=[str(Path(__file__).resolve().parent.parent / "templates")],
    libraries={"i18n": "django.templatetags.i18n"},
)


# The list


def row_html(event: Event) -> str:
    """One send as a list item of fixed height."""
    family = FAMILIES.get(event.family, _UNKNOWN_FAMILY)
    module, _, name = event.signal.rpartition(".")
    origin = f" <small>{_text(module)}</small>" if module and event.signal not in BUILTIN else ""
    stamp = _text(event.ts)
    return (
        f'<li class="{_row_classes(event)}" tabindex="-1" data-id="{event.id}"'
        f' data-epoch="{_text(event.epoch)}" data-signal="{_text(event.signal)}"'
        f' data-sender="{_text(event.sender)}" data-f="{family.key}"{_pending(event)}>'
        f'<time datetime="{stamp}">{stamp[11:19]}<s>{stamp[19:23]}</s></time>'
        f'<span class="fam" title="{_text(family.title)}">{family.letter}</span>'
        f'<span class="sig" title="{_text(event.signal)}"{value_attributes("signal", event.signal)}>'
        f"{_text(name)}{origin}</span>"
        f'<span class="snd" title="{_text(event.sender)}"><span{value_attributes("sender", event.sender)}>'
        f"{_text(sender_name(event.sender))}"
        f" <em>{_text(summary(event))}</em></span>{_tags(event)}</span>"
        f"{_receivers(event)}{_bar(event.duration_us) if event.counted is UNSET else _total(event.counted)}"
        f"{_cause(event)}</li>"
    )


def _pending(event: Event) -> str:
    """The transaction whose outcome the row waits for."""
    transaction = event.transaction
    if transaction is None or transaction.state != "pending":
        return ""
    return f' data-tx="{_text(transaction.id)}"'


def rows_html(events: Iterable[Event]) -> str:
    """The rows of *events*, which come newest first, as the list shows them."""
    return "".join(map(row_html, events))


def coalesced_html(first_id: int, last_id: int, count: int) -> str:
    """A row that stands for *count* sends that were left out, with ids from *first_id* to *last_id*."""
    label = gettext("+%(count)s more") % {"count": f"{count:,}"}
    return (
        f'<li class="more" data-first="{first_id}" data-last="{last_id}" data-count="{count}">'
        f'<button type="button">{_text(label)}</button></li>'
    )


def notice_html(kind: str, text: str = "") -> str:
    """A row that says what happened to the list itself.

    *kind* is gap, epoch or journal; the last two have words of their own when *text* is empty.
    """
    words = _text(text or _NOTICES.get(kind, ""))
    return f'<li class="notice" data-notice="{_text(kind)}" title="{words}">{words}</li>'


def gap_html(first_id: int, last_id: int, reason: str) -> str:
    """A row in place of sends with ids from *first_id* to *last_id* that could not be read any more."""
    count = last_id - first_id + 1
    words = ngettext("%(count)s send is missing here", "%(count)s sends are missing here", count)
    why = gettext("no longer retained") if reason == "evicted" else reason
    return notice_html("gap", f"{words % {'count': f'{count:,}'}}: {why}")


def _row_classes(event: Event) -> str:
    classes = ["row"]
    if _errors(event) or (event.counted is not UNSET and event.status == "raised"):
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
    if event.counted is not UNSET:
        times = f"× {event.counted.sends:,}"
        if event.status == "raised":
            return f'<b class="tag hot">{times} {_text(gettext("raised"))}</b>'
        if event.status == "skipped":
            return f'<b class="tag">{times} {_text(gettext("skipped: no receiver"))}</b>'
        return f'<b class="tag">{times}</b>'
    tags = ""
    if errors := _errors(event):
        more = f" × {len(errors)}" if len(errors) > 1 else ""
        kind, message = errors[0]
        clickable = value_attributes("exc", kind)
        tags += f'<b class="tag hot"{_title(message)}{clickable}>{_text(kind.rpartition(".")[2] + more)}</b>'
    if event.transaction is not None and event.transaction.state == "rolled_back":
        tags += f'<b class="tag hot">{_text(gettext("rolled back"))}</b>'
    if event.status == "skipped":
        tags += f'<b class="tag">{_text(gettext("skipped: no receiver"))}</b>'
    return tags


def _errors(event: Event) -> list[tuple[str, str]]:
    """Type and message of what receivers raised; of the send itself when no receiver is to blame."""
    raised = [(call.error.type, call.error.message) for call in event.receivers if call.error is not None]
    if not raised and event.error is not None:
        raised = [(event.error.type, event.error.message)]
    return raised


def _receivers(event: Event) -> str:
    if event.status == "skipped" or event.counted is not UNSET:
        return '<span class="rc">—</span>'
    names = "\n".join(call.name for call in event.receivers[:8])
    count = len(event.receivers)
    return f'<span class="rc"{_title(names)}{value_attributes("n", count)}>{count}</span>'


def _cause(event: Event) -> str:
    if event.cause is None:
        return '<span class="cause"></span>'
    clickable = value_attributes("cause", cause_text(event.cause))
    return f'<span class="cause"{_title(event.cause.kind)}{clickable}>{_text(event.cause.name)}</span>'


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
    return f'<span class="bar" title="{_text(words)}"><u>Σ {duration(counted.duration_us)}</u></span>'


def _text(value: object) -> str:
    return escape(str(value))


def _title(text: str) -> str:
    return f' title="{_text(text)}"' if text else ""


# A send in words


def duration(microseconds: float | None) -> str:
    """*microseconds* with two or three digits and a unit; "" for None."""
    if microseconds is None:
        return ""
    if microseconds < 9.95:
        return f"{microseconds:.1f} µs"
    if microseconds < 99.5:
        return f"{microseconds:.0f} µs"
    if microseconds < 9_950:
        return f"{microseconds / 1e3:.1f} ms"
    if microseconds < 995_000:
        return f"{microseconds / 1e3:.0f} ms"
    return f"{microseconds / 1e6:,.1f} s"


def sender_name(sender: str) -> str:
    """The sender as a row has room for it: a class outside the models without its module, None as ""."""
    if sender == "None":
        return ""
    last = sender.rpartition(".")[2]
    return last if sender.count(".") > 1 and last[:1].isupper() else sender


def summary(event: Event) -> str:
    """What the send carried, in a few words; "" when there is nothing worth a word."""
    if event.counted is not UNSET:
        return ""
    describe = _SUMMARIES.get(event.signal, _custom)
    words = describe(event.kwargs)
    return words if len(words) <= SUMMARY_LENGTH else words[: SUMMARY_LENGTH - 1] + "…"


def _saved(kwargs: dict[str, Any]) -> str:
    words = _pk(kwargs)
    if "created" in kwargs:
        words += " " + (gettext("created") if kwargs["created"] else gettext("updated"))
    fields = kwargs.get("update_fields")
    if isinstance(fields, list) and fields:
        words += " · " + ", ".join(map(_brief, fields))
    return words.strip()


def _pk(kwargs: dict[str, Any]) -> str:
    instance = kwargs.get("instance")
    pk = instance.get("pk") if isinstance(instance, dict) else None
    return "" if pk is None else _brief(pk)


def _m2m(kwargs: dict[str, Any]) -> str:
    keys = kwargs.get("pk_set")
    count = f" · {len(keys)}" if isinstance(keys, list) else ""
    return f"{_brief(kwargs.get('action', ''))}{count}"


def _user(kwargs: dict[str, Any]) -> str:
    user = kwargs.get("user")
    fields = user.get("fields") if isinstance(user, dict) else None
    name = fields.get("username") if isinstance(fields, dict) else None
    return _brief(name if name not in (None, MASKED) else user) if user is not None else ""


def _credentials(kwargs: dict[str, Any]) -> str:
    credentials = kwargs.get("credentials")
    return ", ".join(credentials) if isinstance(credentials, dict) else ""


def _setting(kwargs: dict[str, Any]) -> str:
    state = gettext("overridden") if kwargs.get("enter") else gettext("restored")
    return f"{_brief(kwargs.get('setting', ''))} {state}"


def _template(kwargs: dict[str, Any]) -> str:
    template = kwargs.get("template")
    return _brief(template.get("name") or "") if isinstance(template, dict) else _brief(template or "")


def _connection(kwargs: dict[str, Any]) -> str:
    connection = kwargs.get("connection")
    if not isinstance(connection, dict):
        return ""
    package = str(connection.get("type", "")).split(".")[:-2]
    vendor = connection.get("vendor") or (package[-1] if package else "")
    return _joined(connection.get("alias"), vendor)


def _migrated(kwargs: dict[str, Any]) -> str:
    app = kwargs.get("app_config")
    return _joined(app.get("label") if isinstance(app, dict) else None, kwargs.get("using"))


def _task(kwargs: dict[str, Any]) -> str:
    result = kwargs.get("task_result")
    return _joined(result.get("status"), result.get("id")) if isinstance(result, dict) else ""


def _nothing(kwargs: dict[str, Any]) -> str:
    return ""


def _custom(kwargs: dict[str, Any]) -> str:
    return " · ".join(f"{name} {_brief(value)}".rstrip() for name, value in list(kwargs.items())[:3])


def _joined(*values: Any) -> str:
    return " · ".join(_brief(value) for value in values if value)


def _brief(value: Any) -> str:
    """A value in a word or two."""
    match value:
        case {"model": model, "pk": pk}:
            return f"{model} {pk}"
        case {"type": kind, "name": str(name)}:
            return f"{str(kind).rpartition('.')[2]} {name}"
        case {"type": kind} | {"class": kind}:
            return str(kind).rpartition(".")[2]
        case list():
            return ngettext("%(n)d item", "%(n)d items", len(value)) % {"n": len(value)}
        case dict():
            return ", ".join(list(value)[:3]) + ("…" if len(value) > 3 else "")
        case _:
            words = str(value)
            return words if len(words) <= 60 else words[:59] + "…"


_SUMMARIES = {
    **{f"django.db.models.signals.{name}": _saved for name in ("pre_save", "post_save")},
    **{f"django.db.models.signals.{name}": _pk for name in ("pre_delete", "post_delete", "post_init")},
    "django.db.models.signals.pre_init": _nothing,
    "django.db.models.signals.m2m_changed": _m2m,
    **{f"django.db.models.signals.{name}": _migrated for name in ("pre_migrate", "post_migrate")},
    "django.db.models.signals.class_prepared": _nothing,
    **{f"django.tasks.signals.task_{name}": _task for name in ("enqueued", "started", "finished")},
    "django.contrib.auth.signals.user_logged_in": _user,
    "django.contrib.auth.signals.user_logged_out": _user,
    "django.contrib.auth.signals.user_login_failed": _credentials,
    "django.core.signals.request_started": _nothing,
    "django.core.signals.request_finished": _nothing,
    "django.core.signals.got_request_exception": _nothing,
    "django.core.signals.setting_changed": _setting,
    "django.test.signals.template_rendered": _template,
    "django.db.backends.signals.connection_created": _connection,
}


# The page and the pane


def index_html(*, base: str, assets: str, socket_url: str, fields: Iterable[Field]) -> str:
    """The whole page.

    *base* is the page's own path and *assets* that of ``static/livesignals/``, both with a slash at the end;
    *fields* are what a filter can ask about, for the help.
    """
    return _render(
        "livesignals/index.html",
        {
            "base": base,
            "assets": assets,
            "socket_url": socket_url,
            "fields": fields,
            "facets": FACETS,
            "examples": EXAMPLES,
            "families": FAMILIES.values(),
            "language": get_language() or "en",
            "direction": "rtl" if get_language_bidi() else "ltr",
        },
    )


def detail_html(event: Event, tree: Iterable[tuple[int, Event]] = ()) -> str:
    """The detail pane's content; *tree* is (depth from 0, event), topmost first, with *event* in it."""
    nodes = list(tree)
    builtin = BUILTIN.get(event.signal)
    return _render(
        "livesignals/detail.html",
        {
            "event": event,
            "name": event.signal.rpartition(".")[2],
            "summary": summary(event),
            "family": FAMILIES.get(event.family, _UNKNOWN_FAMILY),
            "meaning": builtin.meaning if builtin else "",
            "duration": duration(event.duration_us),
            "counted": _counted(event),
            "error": None if any(call.error == event.error for call in event.receivers) else event.error,
            "carried": [(name, _carried_html(name, value, event)) for name, value in event.kwargs.items()],
            "unchanged": event.changes == {},
            "receivers": _waterfall(event),
            "tree": [_node(depth, node, event) for depth, node in nodes[:TREE_LIMIT] if len(nodes) > 1],
            "left_out": max(0, len(nodes) - TREE_LIMIT),
            "json": msgspec.json.format(encode(event), indent=2).decode(),
        },
    )


def _counted(event: Event) -> dict[str, str] | None:
    """What a count says, each figure with its unit."""
    counted = event.counted
    if counted is UNSET:
        return None
    return {
        "sends": f"{counted.sends:,}",
        "seconds": f"{counted.seconds:.1f} s",
        "total": duration(counted.duration_us),
        "mean": duration(counted.duration_us / counted.sends),
    }


def _render(name: str, values: dict[str, Any]) -> str:
    template = _engine.get_template(name)
    return template.render(Context(values, use_l10n=False))  # an id is never "4,711"


def _waterfall(event: Event) -> list[dict[str, Any]]:
    """Receiver calls with their place in the send, *x* and *width* in percent."""
    end = max((call.start_us + call.duration_us for call in event.receivers), default=0.0)
    total = max(event.duration_us or 0.0, end) or 1.0
    return [
        {
            "call": call,
            "name": mark_safe(_text(call.name).replace(".", ".<wbr>")),
            "duration": duration(call.duration_us),
            "ran": "" if call.ran_us is None else duration(call.ran_us),
            "x": f"{call.start_us / total * 100:.2f}",
            "width": f"{max(call.duration_us / total * 100, 0.8):.2f}",
        }
        for call in event.receivers
    ]


def _node(depth: int, node: Event, current: Event) -> dict[str, Any]:
    return {
        "event": node,
        "depth": min(depth, 12),
        "name": node.signal.rpartition(".")[2],
        "sender": sender_name(node.sender),
        "summary": summary(node),
        "duration": duration(node.duration_us),
        "raised": bool(_errors(node)),
        "current": node.uid == current.uid,
    }


def _carried_html(name: str, value: Any, event: Event) -> SafeString:
    """An argument; of a saved instance with what changed marked."""
    path = Steps((name,))
    match value:
        case {"model": _, "pk": _, "fields": dict(fields)} if name == "instance" and event.changes:
            changed = {field: _Changed(*pair) for field, pair in event.changes.items() if len(pair) == 2}
            return _value_html({**value, "fields": {**fields, **changed}}, path)
    return _value_html(value, path)


class _Changed(NamedTuple):
    """A value in the place of another."""

    old: Any
    new: Any


def _value_html(value: Any, path: Steps | None, depth: int = 0) -> SafeString:
    """A carried value, nested ones as nested lists; what is under a *path* of keys can be clicked to filter by it."""
    match value:
        case _Changed(old, new):
            was, now = _value_html(old, None, depth + 1), _value_html(new, path, depth + 1)
            html = f"<del>{was}</del> → <ins>{now}</ins>"
        case None | True | False | int() | float():
            html = f'<span class="lit"{_clickable(path, value)}>{_text(value)}</span>'
        case str() if value == MASKED:
            html = f'<span class="masked">{MASKED}</span>'
        case str():
            html = f"<span{_clickable(path, value)}>{_text(value)}</span>" if value else "<q></q>"
        case list() | dict() if depth == VALUE_DEPTH:
            html = "…"
        case list():
            items = "".join(f"<li>{_value_html(item, _scalars(path, item), depth + 1)}</li>" for item in value)
            html = f"<ol>{items}</ol>" if value else '<span class="lit">[]</span>'
        case {"model": model, "pk": pk}:
            into = _into(path, value)
            fields = value.get("fields")
            inner = dict(fields) if isinstance(fields, dict) else {}
            inner |= {k: v for k, v in value.items() if k not in ("model", "pk", "fields")}
            pairs = [(k, v, into(k)) for k, v in inner.items()]
            html = f"<b>{_text(model)}</b> {_value_html(pk, into('pk'), depth + 1)}{_pairs_html(pairs, depth)}"
        case {"type": kind}:
            into = _into(path, value)
            pairs = [(k, v, into(k)) for k, v in value.items() if k != "type"]
            html = f"<b>{_text(kind)}</b>{_pairs_html(pairs, depth)}"
        case {"class": kind} if len(value) == 1:
            html = f"<b>{_text(kind)}</b>"
        case dict():
            into = _into(path, value)
            html = _pairs_html([(k, v, into(k)) for k, v in value.items()], depth) or '<span class="lit">{}</span>'
        case _:
            html = _text(value)
    return mark_safe(html)  # every leaf went through _text


def _into(path: Steps | None, value: dict[str, Any]) -> Callable[[str], Steps | None]:
    """Where the values under the keys of *value* are found; of an instance also those under its fields' names."""
    if path is None:
        return lambda key: None
    if not is_instance(value):
        return path.into
    return lambda key: path.into(key) if key in value else path.into_field(value, key)


def _scalars(path: Steps | None, item: Any) -> Steps | None:
    """Where an item of a list is found: with the list, unless it holds others itself."""
    return None if isinstance(item, list | dict) else path


def _clickable(path: Steps | None, value: Any) -> str:
    if path is None or len(path.keys) > MAX_STEPS:
        return ""
    return value_attributes(payload_name(path.keys), scalar_text(value))


def _pairs_html(pairs: list[tuple[Any, Any, Steps | None]], depth: int) -> str:
    items = "".join(f"<dt>{_text(k)}</dt><dd>{_value_html(v, path, depth + 1)}</dd>" for k, v, path in pairs)
    return f"<dl>{items}</dl>" if items else ""
