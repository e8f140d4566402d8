"""Whole filters for the help, to begin with."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy


class Example(NamedTuple):
    """A filter, and what it is good for."""

    filter: str
    means: Promise | str


EXAMPLES = (
    Example("is:error", gettext_lazy("something raised")),
    Example("signal:post_save sender:shop.*", gettext_lazy("saves of the models of one app")),
    Example("kwargs.instance.status:paid,shipped", gettext_lazy("by what a send carried")),
    Example("dur>5ms -cause:command", gettext_lazy("longer than 5 ms, and not inside a command")),
    Example("receiver:*stock* OR is:noreceiver", gettext_lazy("one receiver, or none at all")),
    Example("path:/orders/* user:7", gettext_lazy("what one person set off, on some pages")),
)
