"""Collecting the events of a block in memory, for tests and shells."""

from collections import UserList
from types import TracebackType

from livesignals import conf
from livesignals.capture import sends, signals
from livesignals.capture.attach import attach, detach, is_attached
from livesignals.capture.describe import Describer
from livesignals.events import Event
from livesignals.filters import parse
from livesignals.snapshot.masking import Masking


class recording(UserList[Event]):  # noqa: N801 - used like a function
    """Collect the events of a block::

        with recording("signal:post_save") as events:
            order.save()
        assert [event.sender for event in events] == ["shop.Order"]

    The list is filled when the block ends, in the order in which the sends began. It works where capture is
    switched off too. Sends that are counted instead of kept, see ``COUNT``, are not in it. Raises
    :class:`~livesignals.exceptions.FilterError` for a filter that cannot be understood.
    """

    def __init__(self, filter: str = "") -> None:
        super().__init__()
        self._filter = parse(filter)
        self._sends: list[sends.Send] = []

    def __enter__(self) -> "recording":
        self._was_attached = is_attached()
        self._outer_sink = sends.get_sink()
        sends.set_sink(self._take)
        if not self._was_attached:
            signals.configure(conf.read().signals)
            attach()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._was_attached:
            detach()
        sends.set_sink(self._outer_sink)
        describer = Describer(Masking(conf.read().mask), names_only=False)
        events = (describer.event(send) for send in sorted(self._sends, key=lambda send: send.number))
        self.extend(event for event in events if self._filter.matches(event))
        self._sends.clear()

    def _take(self, send: sends.Send) -> None:
        self._sends.append(send)
        self._outer_sink(send)
