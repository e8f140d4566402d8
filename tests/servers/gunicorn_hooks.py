"""Gunicorn's configuration: what a project may do where workers begin and end, sends included."""

from typing import Any


def _send(sender: str) -> None:
    from tests.servers import witness  # not before Django is set up

    witness.numbered.send(sender=sender)


def pre_fork(server: Any, worker: Any) -> None:
    if server.cfg.preload_app:  # else the master has not loaded Django, which gevent must come before
        _send("in the master")


def post_worker_init(worker: Any) -> None:
    _send("a worker begins")


def worker_exit(server: Any, worker: Any) -> None:
    _send("a worker ends")
