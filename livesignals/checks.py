"""System checks: settings that are wrong, and what they expose."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own names
from django.utils.module_loading import import_string

from livesignals import conf
from livesignals.exceptions import ConfigurationError


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E001: a setting is wrong. E002: ACCESS cannot be asked. W001: values are shown without DEBUG."""
    try:
        settings = conf.read()
        conf.journal_url(settings)
    except ConfigurationError as error:
        return [Error(str(error), hint=error.hint, id="livesignals.E001")]
    messages: list[CheckMessage] = []
    if settings.access not in (None, "superuser", "token"):
        problem = _problem_of_rule(settings.access)
        if problem:
            hint = "'superuser', 'token' or a dotted path to a callable(request) -> bool."
            messages.append(Error(f"LIVESIGNALS['ACCESS'] {problem}.", hint=hint, id="livesignals.E002"))
    if conf.is_enabled(settings) and not django_settings.DEBUG and conf.shows_values(settings):
        messages.append(
            Warning(
                "livesignals records the values that signals carry, masked, and DEBUG is off.",
                hint="Set LIVESIGNALS['VALUES'] = 'names' unless everyone with access may see customers' data.",
                id="livesignals.W001",
            )
        )
    return messages


def _problem_of_rule(access: str) -> str:
    try:
        rule = import_string(access)
    except ImportError as error:
        return f"cannot be imported: {error}"
    return "" if callable(rule) else f"is {access}, which is not callable"
