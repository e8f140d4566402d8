"""Whatever other threads and the forking one are at when a process forks, both sides go on and record their own."""

from pathlib import Path
from textwrap import dedent

import pytest

from tests.transport.programs import PATIENT, run, stored

LOCKS_HELD = """
import logging
from django.db import connection
from livesignals.transport import process
attach = sys.modules["livesignals.capture.attach"]
logging.getLogger("livesignals").addHandler(handler := logging.StreamHandler())

def file():
    return process.get_journal()._file

LOCKS = {
    "process": lambda: process._lock,
    "flusher": lambda: get_flusher()._thread_lock,
    "attach": lambda: attach._lock,
    "journal": lambda: file()._lock,
    "journal's writer": lambda: file()._connections._writing,
    "journal's watcher": lambda: file()._connections._watching,
    "journal's readers": lambda: file()._connections._pool,
    "logging": lambda: handler.lock,
}

def hold(lock, is_held, is_over):
    with lock:
        is_held.set()
        assert is_over.wait(30)

for number, (name, get_lock) in enumerate(LOCKS.items()):
    send(number)
    assert get_flusher().flush(30)
    is_held, is_over = threading.Event(), threading.Event()
    holder = threading.Thread(target=hold, args=(get_lock(), is_held, is_over), daemon=True)
    holder.start()
    assert is_held.wait(30)
    pid = os.fork()
    if pid == 0:
        connection.ensure_connection()  # attaches to the database
        logging.getLogger("livesignals").warning("in the child: %s", name)
        process.get_journal().counts()
        send(100 + number)
        sys.exit(0)
    send(10 + number)
    for _ in range(1_000):
        if os.waitpid(pid, os.WNOHANG) == (pid, 0):
            break
        time.sleep(0.01)
    else:
        os.kill(pid, 9)
        sys.exit(f"the lock of {name} kept the child waiting, or it failed")
    is_over.set()
    holder.join()
"""


def by_process(path: Path) -> list[list[int]]:
    """The numbers that each process sent, as they are stored."""
    numbers: dict[int, list[int]] = {}
    for event in stored(path):
        numbers.setdefault(event.process.pid, []).append(event.kwargs["n"])
    return sorted(sorted(each) for each in numbers.values())


def test_a_lock_that_is_held_at_a_fork_keeps_nobody_waiting(path: Path) -> None:
    """By another thread, one after the other: the child sends and stores, attaches to a database, and logs."""
    stderr = run(LOCKS_HELD, path)
    assert stderr.count("in the child: ") == 8
    assert "Traceback" not in stderr
    assert by_process(path) == [[*range(8), *range(10, 18)], *([100 + n] for n in range(8))]


IMPORTING = """
from importlib.abc import MetaPathFinder

class Disk(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in sys.argv[1:]:
            is_importing.set()
            time.sleep(1)  # longer than a fork waits for a batch

is_importing = threading.Event()
sys.meta_path.insert(0, Disk())
send(*range(5))
assert is_importing.wait(30)
if os.fork() == 0:
    send(*range(100, 105))
    sys.exit()
os.wait()
send(*range(5, 10))
"""


@pytest.mark.parametrize("module", ["livesignals.journal.sqlite", "livesignals.snapshot.masking"])
def test_a_fork_while_the_first_batch_is_yet_to_import_what_it_needs(path: Path, module: str) -> None:
    """As from a disk that is slow: a child has no use for a half of a module."""
    assert "Traceback" not in run(IMPORTING, path, module)
    assert by_process(path) == [[*range(10)], [*range(100, 105)]]


def test_threads_that_fork_at_once_lose_nothing(path: Path) -> None:
    """Each fork finds the flusher at something else."""
    program = """
        def fork(first):
            for n in range(first, first + 3):
                send(n)
                pid = os.fork()
                if pid == 0:
                    send(1_000 + n)
                    get_flusher().close()
                    os._exit(0)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        threads = [threading.Thread(target=fork, args=(first,)) for first in (0, 10, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    """
    run(dedent(program), path)
    numbers = [n for first in (0, 10, 20) for n in range(first, first + 3)]
    assert by_process(path) == [numbers, *([1_000 + n] for n in numbers)]


def test_a_fork_inside_a_receiver_leaves_the_send_to_the_parent(path: Path) -> None:
    """Though both return from it; what the child sends has no parent in another process."""
    program = """
        def fork(sender, n, **kwargs):
            if n == 0:
                global pid
                pid = os.fork()
                send(1 if pid else 2)
        numbered.connect(fork)
        send(0)
        send(3 if pid else 4)
        if pid:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    """
    run(dedent(program), path)
    assert by_process(path) == [[0, 1, 3], [2, 4]]
    events = {event.kwargs["n"]: event for event in stored(path)}
    assert [events[n].parent for n in range(5)] == [None, events[0].uid, None, None, None]
    assert len({event.uid for event in events.values()}) == 5


def test_gevent_may_come_after_a_thread_was_started(path: Path) -> None:
    """As in a worker whose server has loaded Django: the next thread is a greenlet, and blocks no other."""
    program = """
        from livesignals.transport import flusher
        flusher.HEARTBEAT_SECONDS = 3_600  # whoever waited for it in the greenlets' thread would hang
        send(0)
        assert get_flusher().flush(30)
        pid = os.fork()
        if pid == 0:
            from gevent import monkey
            monkey.patch_all()
            for n in range(1, 4):
                send(n)
                assert get_flusher().flush(30)
        else:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            send(4)
    """
    run(dedent(program), path)
    assert by_process(path) == [[0, 4], [1, 2, 3]]


def test_children_send_through_connections_of_their_own(redis_url: str) -> None:
    """Of a journal in Redis, which the parent uses before and after; nobody gets the answer of somebody else."""
    url = f"{redis_url}?name=forks"
    errors = run(
        PATIENT
        + """
import os
send(1)
assert get_flusher().flush(30)
for number in range(5):
    pid = os.fork()
    if pid == 0:
        send(*range(100 * (number + 1), 100 * (number + 1) + 20))
        sys.exit(0)
    send(number + 2)
    assert os.waitpid(pid, 0)[1] == 0
assert get_flusher().flush(30)
""",
        url,
    )
    assert errors == ""
    expected = [*range(1, 7), *(100 * child + n for child in range(1, 6) for n in range(20))]
    assert sorted(event.kwargs["n"] for event in stored(url)) == expected
