"""The language of a page: one that the dashboard speaks, by the rule that the project has for its own pages."""

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language_from_request

SOURCE = "en"  # what the texts are written in
LOCALE = Path(__file__).resolve().parent.parent / "locale"
#: The others are what there are catalogues of.
LANGUAGES = frozenset({SOURCE, *(path.name for path in LOCALE.iterdir() if path.is_dir())})


def language_of(request: HttpRequest, *, is_alone: bool) -> str:
    """The language for who sent *request*.

    What the browser asks for, among the project's LANGUAGES, where the project has LocaleMiddleware or the dashboard
    *is_alone*, without the project's pages; else the project's LANGUAGE_CODE. English where it does not speak that.
    """
    if not settings.USE_I18N:
        return SOURCE
    asks = is_alone or any(name.endswith("LocaleMiddleware") for name in settings.MIDDLEWARE)
    wanted = get_language_from_request(request) if asks else settings.LANGUAGE_CODE
    base = wanted.partition("-")[0]
    return base if base in LANGUAGES else SOURCE
