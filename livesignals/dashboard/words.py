"""A send in words: durations, senders, what it carried, what it raised. Plain text, nothing of it escaped yet."""

from functools import lru_cache
from typing import Any

from django.utils.formats import get_format
from django.utils.translation import get_language, gettext, ngettext
from msgspec import UNSET

from livesignals.catalogue.builtin import FAMILIES, Family
from livesignals.events import Event

SUMMARY_LENGTH = 120
MASKED = "••••••"

_UNKNOWN_FAMILY = Family("other", "Other", "?")


def family_of(event: Event) -> Family:
    """The family, with its title and letter."""
    return FAMILIES.get(event.family, _UNKNOWN_FAMILY)


def short_name(event: Event) -> str:
    """The signal's name without its module."""
    return event.signal.rpartition(".")[2]


def errors_of(event: Event) -> list[tuple[str, str]]:
    """Type and message of what receivers raised; of the send itself when no receiver is to blame."""
    raised = [(call.error.type, call.error.message) for call in event.receivers if call.error is not None]
    if not raised and event.error is not None:
        raised = [(event.error.type, event.error.message)]
    return raised


def duration(microseconds: float | None) -> str:
    """*microseconds* with two or three digits and a unit; "" for None."""
    if microseconds is None:
        return ""
    if microseconds < 9.95:
        return local(f"{microseconds:.1f} µs")
    if microseconds < 99.5:
        return f"{microseconds:.0f} µs"
    if microseconds < 9_950:
        return local(f"{microseconds / 1e3:.1f} ms")
    if microseconds < 995_000:
        return f"{microseconds / 1e3:.0f} ms"
    return local(f"{microseconds / 1e6:,.1f} s")


def number(n: int) -> str:
    """*n* with its thousands set apart."""
    return local(f"{n:,}")


def local(figure: str) -> str:
    """A figure that is written as English does, as the active language does."""
    return figure.translate(_marks(get_language()))


@lru_cache
def _marks(language: str | None) -> dict[int, str]:
    marks = {",": "THOUSAND_SEPARATOR", ".": "DECIMAL_SEPARATOR"}
    return str.maketrans({mark: get_format(name, language, use_l10n=True) for mark, name in marks.items()})


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
