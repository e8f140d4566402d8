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
    """E001: a setting is wrong. E002: ACCESS cannot be asked. E003: MASK_FUNCTION cannot be called. W001: values are
    shown without DEBUG."""
    try:
        settings = conf.read()
        conf.journal_url(settings)
    except ConfigurationError as error:
        return [Error(str(error), hint=error.hint, id="livesignals.E001")]
    messages: list[CheckMessage] = []
    if settings.access not in (None, "superuser", "token"):
        problem = _problem_of_callable(settings.access)
        if problem:
            hint = "'superuser', 'token' or a dotted path to a callable(request) -> bool."
            messages.append(Error(f"LIVESIGNALS['ACCESS'] {problem}.", hint=hint, id="livesignals.E002"))
    if settings.mask_function is not None:
        problem = _problem_of_callable(settings.mask_function)
        if problem:
            hint = "A dotted path to a callable(name: str, value: str) -> str | None. Until then all values are masked."
            messages.append(Error(f"LIVESIGNALS['MASK_FUNCTION'] {problem}.", hint=hint, id="livesignals.E003"))
    if conf.is_enabled(settings) and not django_settings.DEBUG and conf.shows_values(settings):
        messages.append(
            Warning(
                "livesignals records the values that signals carry, masked, and DEBUG is off.",
                hint="Set LIVESIGNALS['VALUES'] = 'names' unless everyone with access may see customers' data.",
                id="livesignals.W001",
            )
        )
    return messages


def _problem_of_callable(path: str) -> str:
    try:
        named = import_string(path)
    except ImportError as error:
        return f"cannot be imported: {error}"
    return "" if callable(named) else f"is {path}, which is not callable"
