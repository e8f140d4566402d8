"""Putting the recording in front of every dispatch of the process, and taking it away again."""

import os
import threading

from django.apps import apps
from django.db import connections

from livesignals.capture import causes, changes, dispatch, sends, signals, skipped, transactions, weaving

_lock = threading.RLock()


def _forget_after_fork() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_forget_after_fork)


def attach() -> None:
    """Record every send from now on. Idempotent."""
    with _lock:
        if not is_attached():
            dispatch.attach()
            causes.attach()
            signals.on_first_send("django.db.backends.signals.connection_created", _attach_to_database)
            if apps.ready and any(connection.connection for connection in connections.all(initialized_only=True)):
                _attach_to_database()


def detach() -> None:
    """Put everything back as it was."""
    with _lock:
        signals.forget_states()
        dispatch.detach()
        weaving.restore_all()
        changes.forget_all()


def is_attached() -> bool:
    """Whether sends are being recorded in this process."""
    return weaving.is_woven() or dispatch.is_wrapped()


def connect() -> None:
    """Connect :func:`record` to Django's model signals, so that Django makes even the sends that it leaves out while
    nobody is connected: of fast deletes, and of what is added to a many-to-many relation. Idempotent."""
    from django.db.models import signals as model_signals

    for name in ("pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed"):
        getattr(model_signals, name).connect(sends.record, dispatch_uid="livesignals")


def _attach_to_database() -> None:
    """Only once there is a connection: a command that opens none has nothing to pay for."""
    with _lock:
        if is_attached():
            transactions.attach()
            skipped.attach()
            changes.attach()
