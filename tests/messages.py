"""The texts that are translated, found where they are written; ``python -m tests.messages`` brings the catalogues up to
date with them.

In Python they are what gettext's functions are called with, in templates what Django's own tags hold. The tables of
fields, flags, signals and the like are texts too: what is said of a send is looked up when it is said.
"""

import ast
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.template.base import Node
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

PACKAGE = Path(__file__).resolve().parent.parent / "livesignals"
LOCALE = PACKAGE / "locale"
LANGUAGES = ("de",)

HEADER = "# Texts of the dashboard. `make messages` brings this up to date and compiles it; what it lacks, write here."

#: A text, or singular and plural; the context; where it stands.
Text = tuple[str | tuple[str, str], str | None, str]

_SINGLE = {"gettext", "gettext_lazy", "gettext_noop"}


def texts() -> Iterator[Text]:
    """Every text, in every place where it stands."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from _of_python(path)
    for path in sorted((PACKAGE / "templates").rglob("*.html")):
        yield from _of_template(path)
    yield from _of_tables()


def _of_python(path: Path) -> Iterator[Text]:
    where = path.relative_to(PACKAGE).as_posix()
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        said = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if call.func.id in _SINGLE and said:
            yield said[0], None, where
        elif call.func.id == "ngettext":
            yield (said[0], said[1]), None, where
        elif call.func.id == "pgettext" and len(said) == 2:
            yield said[1], said[0], where


def _of_template(path: Path) -> Iterator[Text]:
    from livesignals.dashboard.markup import _engine

    where = path.relative_to(PACKAGE).as_posix()
    nodes = _engine.get_template(f"livesignals/{path.name}").nodelist
    for node in _nodes(nodes, TranslateNode):
        literal = getattr(node.filter_expression.var, "literal", node.filter_expression.var)
        if isinstance(literal, str):
            yield literal, None, where
    for node in _nodes(nodes, BlockTranslateNode):
        singular, _ = node.render_token_list(node.singular)
        plural, _ = node.render_token_list(node.plural)
        yield (singular, plural) if plural else singular, None, where


def _nodes(nodes: Any, kind: type[Node]) -> list[Any]:
    found: list[Any] = nodes.get_nodes_by_type(kind)
    return found


def _of_tables() -> Iterator[Text]:
    from livesignals.catalogue.builtin import BUILTIN, FAMILIES
    from livesignals.filters.fields import FIELDS
    from livesignals.filters.flags import FLAGS
    from livesignals.filters.kinds import CAUSE_KINDS
    from livesignals.filters.matchers import VERBS
    from livesignals.filters.parser import IN_WORDS

    for family in FAMILIES.values():
        yield family.title, None, "catalogue/builtin.py"
    for signal in BUILTIN.values():
        yield signal.meaning, None, "catalogue/builtin.py"
    for field in FIELDS:
        where = "filters/fields.py"
        yield field.help, None, where
        if field.noun:
            yield field.noun, "noun", where
        if field.source.many:
            yield field.none, "noun", where
        yield from ((text, None, where) for text in field.kind.choices.values() if " " in text)
        if not field.kind.choices:
            yield field.kind.expected, None, "filters/kinds.py"
    for flag in FLAGS.values():
        yield flag.english, "trait", "filters/flags.py"
        yield flag.negated, "trait", "filters/flags.py"
    for verb, opposite in VERBS.items():
        yield verb, "verb", "filters/matchers.py"
        yield opposite, "verb", "filters/matchers.py"
    for kind in (*CAUSE_KINDS, "thread"):
        yield kind, None, "events/model.py"
    for kind in CAUSE_KINDS:
        yield f"a {kind}", "cause", "filters/matchers.py"
    yield from ((words, None, "filters/parser.py") for words in IN_WORDS.values() if words.strip('"()-').islower())


def catalogue(language: str | None = None) -> Catalog:
    """All texts, without translations."""
    found = Catalog(locale=language, project="livesignals", version="", msgid_bugs_address="", fuzzy=False)
    found.header_comment = HEADER
    for text, context, where in texts():
        found.add(text, context=context, locations=[(where, 0)])
    return found


def read(language: str) -> Catalog:
    """The catalogue of a language, as it is in the repository."""
    with _path(language).open("rb") as file:
        return read_po(file, locale=language)


def compiled(known: Catalog) -> bytes:
    """What Django reads."""
    file = BytesIO()
    write_mo(file, known)
    return file.getvalue()


def _path(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def main() -> None:
    """Write the catalogues anew: new texts have no translation yet, those that are gone have gone."""
    for language in LANGUAGES:
        path = _path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        known = read(language) if path.exists() else catalogue(language)
        known.update(
            catalogue(language), no_fuzzy_matching=True, update_header_comment=True, update_creation_date=False
        )
        known.obsolete.clear()
        known.version = known.msgid_bugs_address = known.last_translator = known.language_team = ""
        with path.open("wb") as file:
            write_po(file, known, width=120, sort_output=True, include_lineno=False)
        path.with_suffix(".mo").write_bytes(compiled(known))
        missing = sum(not message.string or message.fuzzy for message in known if message.id)
        print(f"{path}: {len(known)} texts, {missing} to be translated")


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    main()
