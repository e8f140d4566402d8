"""HTML by templates of an engine of our own, so that nothing hangs on the project's ``TEMPLATES``."""

from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from django.template import Context, Engine, Origin, Template
from django.template.loaders import filesystem

FOLDER = Path(__file__).resolve().parent.parent / "templates"


def render(name: str, values: dict[str, Any]) -> str:
    """The template of that name, with *values*."""
    return _engine.get_template(name).render(Context(values, use_l10n=False))  # an id is never "4,711"


def text(value: object) -> str:
    """*value* as text in HTML, between tags or in an attribute."""
    plain = str(value)
    return _escaped(plain) if len(plain) <= SHORT else escape(plain)


#: Names of signals, senders and causes come again and again; these are kept.
SHORT = 200
_escaped = lru_cache(maxsize=8_192)(escape)


class QuietTemplate(Template):
    """A template whose rendering sends nothing: a page that lists sends must not make any."""

    def _render(self, context: Context) -> Any:
        # What is behind template_rendered hangs on the method of the base class, for {% include %} too.
        return self.nodelist.render(context)


class QuietLoader(filesystem.Loader):
    """Loads quiet templates, each once."""

    def __init__(self, engine: Engine, dirs: list[str | Path]) -> None:
        super().__init__(engine, dirs)
        self._loaded: dict[str, Template] = {}

    def get_template(self, template_name: str, skip: list[Origin] | None = None) -> Template:
        if template_name not in self._loaded:
            plain = super().get_template(template_name, skip)
            self._loaded[template_name] = QuietTemplate(plain.source, plain.origin, plain.name, self.engine)
        return self._loaded[template_name]


_engine = Engine(
    loaders=[(f"{QuietLoader.__module__}.{QuietLoader.__qualname__}", [FOLDER])],
    libraries={"i18n": "django.templatetags.i18n"},
)
