"""The dashboard in other languages: complete, by the project's own rule, and nothing that programs read changes."""

import re
from io import BytesIO

import pytest
from babel.messages.catalog import Message
from babel.messages.mofile import read_mo
from django.conf import LazySettings
from django.test import RequestFactory
from django.utils.translation import override

from livesignals.dashboard import rendering
from livesignals.dashboard.language import LANGUAGES, language_of
from livesignals.dashboard.words import duration, number
from livesignals.exceptions import FilterError
from livesignals.filters import FIELDS, complete, parse
from tests import messages

pytestmark = pytest.mark.parametrize("language", messages.LANGUAGES)

LOCALE_MIDDLEWARE = "django.middleware.locale.LocaleMiddleware"


def known(message: Message) -> tuple[object, str | None]:
    return tuple(message.id) if isinstance(message.id, list | tuple) else message.id, message.context


def test_every_text_is_translated_and_none_that_is_gone_is_left(language: str) -> None:
    """`make messages` was run, and what it found new was translated."""
    catalogue = messages.read(language)
    assert {known(message) for message in catalogue} == {known(message) for message in messages.catalogue()}
    texts = [message for message in catalogue if message.id]
    assert len(texts) > 400
    assert [message.id for message in texts if message.fuzzy or not all(strings(message))] == []


def strings(message: Message) -> tuple[str, ...]:
    found = message.string
    return tuple(found) if isinstance(found, list | tuple) else (found or "",)


def test_what_is_filled_in_is_the_same_in_every_translation(language: str) -> None:
    """The names in braces and the signs of Python's formatting."""
    holes = re.compile(r"\{\w+\}|%\(\w+\)[ds]|%[ds]")
    for message in messages.read(language):
        if message.id:
            original = message.id if isinstance(message.id, str) else message.id[-1]
            for string in strings(message):
                assert sorted(holes.findall(string)) == sorted(holes.findall(original)), original


def test_what_django_reads_was_compiled_from_what_people_write(language: str) -> None:
    """The .mo file is in the repository, so that installing needs no compiler."""
    catalogue = messages.read(language)
    path = messages.LOCALE / language / "LC_MESSAGES" / "django.mo"
    compiled = read_mo(path.open("rb")), read_mo(BytesIO(messages.compiled(catalogue)))
    there, wanted = ({known(message): strings(message) for message in each if message.id} for each in compiled)
    assert there == wanted


def test_a_page_is_in_the_language_that_the_projects_own_pages_are_in(language: str, settings: LazySettings) -> None:
    """As the browser asks where the project listens to that, or has no pages there; else in the project's own."""
    german = RequestFactory().get("/", headers={"accept-language": f"xx, {language}-at;q=0.8, en;q=0.5"})
    settings.MIDDLEWARE = []
    settings.LANGUAGE_CODE = "en-gb"
    assert language_of(german, is_alone=True) == language
    assert language_of(german, is_alone=False) == "en"
    settings.LANGUAGE_CODE = f"{language}-ch"
    assert language_of(RequestFactory().get("/"), is_alone=False) == language
    settings.LANGUAGE_CODE = "fr"  # which the dashboard does not speak
    assert language_of(RequestFactory().get("/"), is_alone=False) == "en"
    settings.MIDDLEWARE = [LOCALE_MIDDLEWARE]
    assert language_of(german, is_alone=False) == language
    settings.USE_I18N = False
    assert language_of(german, is_alone=True) == "en"
    assert {"en", language} == LANGUAGES


def test_the_page_says_which_language_it_is_in(language: str) -> None:
    """For screen readers, and for the figures that its scripts write."""
    with override(language):
        html = rendering.index_html(base="/", assets="/static/", socket_url="/socket/", fields=FIELDS)
    assert f'<html lang="{language}" dir="ltr">' in html


def test_filters_are_read_and_refused_in_the_language_that_is_active(language: str) -> None:
    """Their own words, those that are typed, are the same in all."""
    with override(language):
        assert (
            parse("-sender:shop.Order dur>5ms").english()
            == "der Sender ist nicht shop.order und die Dauer ist über 5 ms"
        )
        assert parse("-receiver:*x* is:error").english() == "kein Receiver passt auf *x* und etwas schlug fehl"
        assert parse("").english() == "jede Sendung"
        with pytest.raises(FilterError) as refused:
            parse("sendr:x")
        assert refused.value.message == "es gibt kein Feld „sendr“; meinten Sie sender?"
        (offered,) = (each for each in complete("sende", 6, {}) if each.label == "sender")
        assert offered.help == "der Sender, mit seinem Namen samt Punkten oder dessen Ende"
        assert parse("is:error").sql() == parse("is:error").sql()
    assert parse("-sender:shop.Order").english() == "the sender is not shop.order"


def test_figures_are_written_as_the_language_does(language: str) -> None:
    """Thousands and decimals."""
    with override(language):
        assert (number(1_234_567), duration(1_234.5)) == ("1.234.567", "1,2 ms")
    with override("en"):
        assert (number(1_234_567), duration(1_234.5)) == ("1,234,567", "1.2 ms")
