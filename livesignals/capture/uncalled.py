"""Receivers of a send that ended by an error before they were called.

Under a plain ``send`` they will never run. Under ``asend`` the sync ones are called one after the other on a thread,
which goes on when the send does not: it cannot be cancelled, and before Django 6.1 an error of an async receiver does
not wait for it.
"""

import asyncio
from collections.abc import Iterator
from typing import Any


def uncalled(send: Any, calls: list[Any]) -> Iterator[tuple[Any, str]]:
    """Receivers of *send* that were not called when it ended by an error, each with ``not_run`` or ``unfinished``.

    *calls* are those of sync receivers: (receiver, started, ended, error, response).
    """
    sync_receivers, async_receivers = send.receivers
    # By number, not as a set: one receiver may be connected twice, under two dispatch_uids.
    called = [id(call[0]) for call in calls]
    called += [id(driver.receiver) for driver in send.drivers or () if driver.started or not driver.is_called]
    thread_goes_on = send.method.startswith("a") and _thread_goes_on(send, calls)
    for status, receivers in (
        ("unfinished" if thread_goes_on else "not_run", sync_receivers),
        ("not_run", async_receivers),
    ):
        for receiver in receivers:
            if id(receiver) in called:
                called.remove(id(receiver))
            else:
                yield receiver, status


def _thread_goes_on(send: Any, calls: list[Any]) -> bool:
    """Whether the thread of the sync receivers is between two of them, or is yet to come to the first."""
    if any(error is send.error for _, _, _, error, _ in calls):
        return False
    if calls:
        return True
    # A thread that had not begun is cancelled along with the send, but not by the error of a sibling.
    return not isinstance(send.error, asyncio.CancelledError) and not _is_from_sync_to_async(send.error)


def _is_from_sync_to_async(error: BaseException) -> bool:
    """Whether it was asgiref that would not begin: the frame below the send's own is its."""
    traceback = error.__traceback__
    below = traceback.tb_next if traceback is not None else None
    return below is not None and below.tb_frame.f_globals.get("__name__") == "asgiref.sync"
