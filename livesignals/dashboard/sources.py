"""Which journal a request is about: the live one, or a recording's.

A recording has all the page's addresses once more, below ``recordings/NAME/``: the page, its socket and whatever they
ask for, so that none of them has to know where its events come from. Views ask `source_of` for the request's journal.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest

from livesignals.exceptions import JournalError, RecordingError
from livesignals.exchange import recordings
from livesignals.journal import Journal
from livesignals.transport.feed import Feed
from livesignals.transport.process import get_feed, get_journal

RECORDINGS = "recordings/"
#: Recordings that stay open though nobody looks.
KEPT_OPEN = 8

_KEY = "livesignals.source"
_PREFIX_KEY = "livesignals.prefix"
_lock = threading.Lock()
_open: OrderedDict[str, "Source"] = OrderedDict()


class Source:
    """A journal, and what follows it for this process."""

    def __init__(
        self, name: str, get_journal: Callable[[], Journal], get_feed: Callable[[], Feed] | None = None
    ) -> None:
        self.name = name  # of the recording; "" is the live journal
        self.get_journal = get_journal
        self._get_feed = get_feed
        self._feed: Feed | None = None

    @property
    def feed(self) -> Feed:
        """What sockets read from. On the event loop."""
        if self._get_feed is not None:
            return self._get_feed()
        if self._feed is None:
            self._feed = Feed(self.get_journal, group=f"livesignals.recording.{self.name}")
        return self._feed

    def recording(self) -> recordings.Recording | None:
        """What is told of the recording; None for the live journal. Not on the event loop."""
        if not self.name:
            return None
        try:
            return recordings.described(self.name, self.get_journal())
        except JournalError as error:
            return recordings.Recording(self.name, problem=str(error))

    @property
    def is_watched(self) -> bool:
        """Whether a socket reads from it."""
        return self._feed is not None and self._feed.watchers > 0


LIVE = Source("", get_journal, get_feed)


def resolve(path: str) -> tuple[Source, str]:
    """From a path below the dashboard's: whose it is, and the path below that one's page.

    Raises RecordingError when there is no such recording. Not on an event loop.
    """
    name, slash, rest = path.removeprefix(RECORDINGS).partition("/")
    if not path.startswith(RECORDINGS) or not name or not slash:
        return LIVE, path
    return _recording(name), rest


def page_of(request: HttpRequest, name: str) -> str:
    """The path of a recording's page, or with "" that of the live one."""
    return f"{_scope(request)[_PREFIX_KEY]}{f'{RECORDINGS}{name}/' if name else ''}"


def put_source(request: HttpRequest, source: Source, prefix: str) -> None:
    """Say what `source_of` answers, and where the dashboard is."""
    _scope(request).update({_KEY: source, _PREFIX_KEY: prefix})


def source_of(request: HttpRequest) -> Source:
    """The source that a request is about."""
    return cast("Source", _scope(request)[_KEY])


def _scope(request: HttpRequest) -> dict[str, Any]:
    return cast("dict[str, Any]", request.scope)  # type: ignore[attr-defined]  # they all come by ASGI


def _recording(name: str) -> Source:
    with _lock:
        if not recordings.exists(name):
            _open.pop(name, None)
            raise RecordingError(f"There is no recording {name!r}.")
        source = _open.get(name)
        if source is None:
            journal = recordings.open_recording(name)
            source = _open[name] = Source(name, lambda: journal)
        _open.move_to_end(name)
        for other in [each for each in _open.values() if not each.is_watched][:-KEPT_OPEN]:
            del _open[other.name]
        return source
