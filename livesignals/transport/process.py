"""What this process has one of: a journal, a flusher, a feed. Each is made, and imported, when it is first asked for:
a project's start-up pays for capture only."""

import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

from livesignals import conf
from livesignals.exceptions import ConfigurationError, JournalUnavailable
from livesignals.transport.flusher import Flusher

if TYPE_CHECKING:
    from livesignals.capture.describe import Describer
    from livesignals.journal import Journal
    from livesignals.snapshot.masking import Masking
    from livesignals.transport.feed import Feed

logger = logging.getLogger("livesignals")

_lock = threading.Lock()
_journal: "Journal | None" = None
_flusher: Flusher | None = None
_feed: "Feed | None" = None


def get_journal() -> "Journal":
    """The journal that the settings name. Opened at its first use, not here.

    Raises :class:`JournalUnavailable` when the settings name none that can be.
    """
    global _journal
    with _lock:
        if _journal is None:
            from livesignals.journal import open_journal

            try:
                settings = conf.read()
                url = conf.journal_url(settings)
                _journal = open_journal(
                    url,
                    project=conf.project_identity(url),
                    retain_events=settings.retain_events,
                    retain_bytes=settings.retain_bytes,
                    folder=conf.project_folder(),
                )
            except ConfigurationError as error:
                raise JournalUnavailable(str(error), error.hint) from None
        return _journal


def get_flusher() -> Flusher:
    """The way of this process's sends into the journal."""
    global _flusher
    with _lock:
        if _flusher is None:
            _flusher = Flusher(get_journal, _make_describer)
        return _flusher


def get_feed() -> "Feed":
    """What this process, a server, knows of the journal."""
    global _feed
    with _lock:
        if _feed is None:
            from livesignals.transport.feed import Feed

            _feed = Feed(get_journal)
        return _feed


def _make_describer() -> "Describer":
    from livesignals.capture.describe import Describer
    from livesignals.snapshot.masking import Masking

    try:
        settings = conf.read()
    except ConfigurationError:
        return Describer(Masking(), names_only=True)  # broken since the start, so what is secret is not known
    return Describer(_make_masking(settings), names_only=not conf.shows_values(settings))


def _make_masking(settings: conf.Settings) -> "Masking":
    from livesignals.snapshot.masking import Masking

    if settings.mask_function is None:
        return Masking(settings.mask)
    try:
        function: Callable[[str, str], str | None] = import_string(settings.mask_function)
    except Exception as error:
        # What it would have masked is not known.
        problem = type(error).__qualname__
        logger.error("livesignals: LIVESIGNALS['MASK_FUNCTION'] cannot be imported (%s): all is masked.", problem)
        return Masking.blind()
    return Masking(settings.mask, function)


def _forget_after_fork() -> None:
    """The flusher goes on in the child, by itself; journal and feed are the parent's."""
    global _lock, _journal, _feed
    _lock = threading.Lock()
    if _journal is not None:
        _journal.abandon()
    _journal = _feed = None


os.register_at_fork(after_in_child=_forget_after_fork)
