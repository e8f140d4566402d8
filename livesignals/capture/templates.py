"""``template_rendered`` outside of tests.

Django sends it only while its test instrumentation is installed. The same is done here for good, in the way
of django-debug-toolbar.
"""

from typing import Any

from django.template.base import Template


def instrument() -> None:
    """Make every template rendering send ``template_rendered``. Idempotent; a test run's own instrumentation wins."""
    if Template._render is _plain_render:  # type: ignore[attr-defined]
        Template._render = _render  # type: ignore[attr-defined]


def restore() -> None:
    """Undo :func:`instrument`."""
    if Template._render is _render:  # type: ignore[attr-defined]
        Template._render = _plain_render  # type: ignore[attr-defined]


def _render(self: Template, context: Any) -> Any:
    # Imported at the first rendering: it brings the whole of django.test along.
    from django.test.signals import template_rendered

    template_rendered.send(sender=self, template=self, context=context)
    return self.nodelist.render(context)


_plain_render = Template._render  # type: ignore[attr-defined]
