"""The pane of one send: what it carried, who received it, what it stands in."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from django.utils.safestring import SafeString, mark_safe
from msgspec import UNSET

from livesignals.catalogue.builtin import BUILTIN
from livesignals.dashboard import editor
from livesignals.dashboard.markup import render, text
from livesignals.dashboard.rows import cause_path, why_counted
from livesignals.dashboard.trees import Around, Topmost
from livesignals.dashboard.values import value_attributes
from livesignals.dashboard.words import (
    MASKED,
    duration,
    errors_of,
    family_of,
    local,
    number,
    sender_name,
    short_name,
    summary,
)
from livesignals.events import Event, encode
from livesignals.exceptions import FilterError
from livesignals.filters.editing import narrow
from livesignals.filters.fields import MAX_STEPS, payload_name
from livesignals.filters.payload import Steps, is_instance
from livesignals.filters.text import scalar_text

TREE_LIMIT = 200
VALUE_DEPTH = 8
NOTHING_AROUND = Around()


def detail_html(event: Event, tree: Iterable[tuple[int, Event]] = (), around: Around = NOTHING_AROUND) -> str:
    """The detail pane's content.

    *tree* is (depth from 0, event), topmost first, with *event* in it; *around* are the other sends of its cause.
    """
    nodes = list(tree) or [(0, event)]
    builtin = BUILTIN.get(event.signal)
    has_company = len(nodes) > 1 or around != NOTHING_AROUND
    return render(
        "livesignals/detail.html",
        {
            "event": event,
            "name": short_name(event),
            "summary": summary(event),
            "family": family_of(event),
            "meaning": builtin.meaning if builtin else "",
            "duration": duration(event.duration_us),
            "counted": _counted(event),
            "error": None if any(call.error == event.error for call in event.receivers) else event.error,
            "carried": [(name, _carried_html(name, value, event)) for name, value in event.kwargs.items()],
            "unchanged": event.changes == {},
            "receivers": _waterfall(event),
            "tree": [_node(depth, node, event) for depth, node in nodes[:TREE_LIMIT] if has_company],
            "left_out": max(0, len(nodes) - TREE_LIMIT),
            "before": [_topmost(top) for top in around.before],
            "after": [_topmost(top) for top in around.after],
            "earlier": around.earlier,
            "later": around.later,
            "cause_path": cause_path(event) if event.epoch else "",
            "where_link": _link(event.where),
            "like": like(event),
            "json": msgspec.json.format(encode(event), indent=2).decode(),
        },
    )


def like(event: Event) -> str:
    """The filter that finds sends like this one; "" when its names are too strange for one."""
    try:
        terms = narrow(narrow("", "signal", event.signal), "sender", event.sender)
    except FilterError:
        return ""
    return f"{terms} is:error" if errors_of(event) else terms


def _link(place: str | None) -> SafeString | None:
    """What opens *place* in the reader's editor. Escaped here: Django would escape it again in an attribute."""
    url = editor.link(place)
    return None if url is None else mark_safe(text(url))


def _counted(event: Event) -> dict[str, str] | None:
    """What a count says, each figure with its unit."""
    counted = event.counted
    if counted is UNSET:
        return None
    return {
        "sends": number(counted.sends),
        "seconds": local(f"{counted.seconds:.1f} s"),
        "total": duration(counted.duration_us),
        "mean": duration(counted.duration_us / counted.sends),
        "why": why_counted(event)[1],
    }


def _waterfall(event: Event) -> list[dict[str, Any]]:
    """Receiver calls with their place in the send, *x* and *width* in percent."""
    end = max((call.start_us + call.duration_us for call in event.receivers), default=0.0)
    total = max(event.duration_us or 0.0, end) or 1.0
    return [
        {
            "call": call,
            "name": mark_safe(text(call.name).replace(".", ".<wbr>")),
            "link": _link(call.place),
            "duration": duration(call.duration_us),
            "ran": "" if call.ran_us is None else duration(call.ran_us),
            "x": f"{call.start_us / total * 100:.2f}",
            "width": f"{max(call.duration_us / total * 100, 0.8):.2f}",
        }
        for call in event.receivers
    ]


def _node(depth: int, node: Event, current: Event | None) -> dict[str, Any]:
    return {
        "event": node,
        "depth": min(depth, 12),
        "name": short_name(node),
        "sender": sender_name(node.sender),
        "summary": summary(node),
        "duration": duration(node.duration_us),
        "raised": bool(errors_of(node)),
        "current": current is not None and node.uid == current.uid,
    }


def _topmost(top: Topmost) -> dict[str, Any]:
    node = _node(0, top.event, None)
    return {**node, "times": number(top.times) if top.times > 1 else "", "made": number(top.made) if top.made else ""}


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
            html = f'<span class="lit"{_clickable(path, value)}>{text(value)}</span>'
        case str() if value == MASKED:
            html = f'<span class="masked">{MASKED}</span>'
        case str():
            html = f"<span{_clickable(path, value)}>{text(value)}</span>" if value else "<q></q>"
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
            html = f"<b>{text(model)}</b> {_value_html(pk, into('pk'), depth + 1)}{_pairs_html(pairs, depth)}"
        case {"type": kind}:
            into = _into(path, value)
            pairs = [(k, v, into(k)) for k, v in value.items() if k != "type"]
            html = f"<b>{text(kind)}</b>{_pairs_html(pairs, depth)}"
        case {"class": kind} if len(value) == 1:
            html = f"<b>{text(kind)}</b>"
        case dict():
            into = _into(path, value)
            html = _pairs_html([(k, v, into(k)) for k, v in value.items()], depth) or '<span class="lit">{}</span>'
        case _:
            html = text(value)
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
    items = "".join(f"<dt>{text(k)}</dt><dd>{_value_html(v, path, depth + 1)}</dd>" for k, v, path in pairs)
    return f"<dl>{items}</dl>" if items else ""
