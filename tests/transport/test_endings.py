"""However a process ends, and whoever began it: what it sent is stored, to the last send that Python lets it make."""

import re
import signal
from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest

from livesignals.journal import open_journal
from tests.transport.programs import START, run, stored


def numbers(path: Path) -> list[int]:
    """What was sent, as it is stored; none twice."""
    events = stored(path)
    assert len({event.uid for event in events}) == len(events)
    return sorted(event.kwargs["n"] for event in events)


LATE = {
    "an atexit function that was registered before Django was set up": """
import atexit
atexit.register(lambda: [send(n) for n in range(100, 200)])
""",
    "atexit functions before and after": """
import atexit
atexit.register(lambda: send(*range(150, 200)))
import django
django.setup()
atexit.register(lambda: send(*range(100, 150)))
""",
}


class TestInterpreterShutdown:
    @pytest.mark.parametrize("begins", LATE.values(), ids=LATE)
    @pytest.mark.parametrize("sends", [range(100), range(0)], ids=["has sent before", "has not"])
    def test_a_send_at_exit_is_stored_wherever_it_was_registered(self, path: Path, begins: str, sends: range) -> None:
        """Ours is called somewhere among them, when the flusher's thread ends; later sends are written all the same."""
        assert run(f"send(*{sends})", path, start=begins + START) == ""
        assert numbers(path) == [*sends, *range(100, 200)]

    def test_daemon_threads_that_send_to_the_last_lose_nothing_that_they_saw_end(self, path: Path) -> None:
        """While the interpreter ends threads send on; what was sent until the very last function is stored."""
        program = """
            sent = []
            def pour(first):
                for n in range(first, first + 10**6):
                    send(n)
                    sent.append(n)
                    time.sleep(0.001)
            for first in (0, 10**6):
                threading.Thread(target=pour, args=(first,), daemon=True).start()
            while len(sent) < 50:
                time.sleep(0.001)
        """
        begin = """
            import atexit, sys
            def tell():
                before = len(sent)
                while len(sent) < before + 10:  # those are written by the threads themselves
                    time.sleep(0.001)
                print(*sent[:before + 10], file=sys.stderr)
            atexit.register(tell)
        """
        seen = {int(n) for n in run(dedent(program), path, start=dedent(begin) + START).split()}
        kept = numbers(path)
        assert len(seen) >= 60
        assert seen <= set(kept)
        assert len(kept) == len(set(kept))

    def test_a_thread_that_exits_ends_nothing_but_itself(self, path: Path) -> None:
        """``sys.exit`` in a thread."""
        program = """
            def leave():
                send(0)
                sys.exit(3)
            thread = threading.Thread(target=leave)
            thread.start()
            thread.join()
            send(1)
        """
        assert run(dedent(program), path) == ""
        assert numbers(path) == [0, 1]

    def test_a_send_while_objects_are_taken_down_breaks_nothing(self, path: Path) -> None:
        """``__del__`` of an object that lives as long as the interpreter: too late to be stored."""
        program = """
            class Last:
                def __del__(self, send=send):
                    send(1)
            sys.last_of_all = Last()
            send(0)
        """
        assert run(dedent(program), path) == ""
        assert numbers(path) in ([0], [0, 1])

    @pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)"])
    def test_a_process_that_python_does_not_end_keeps_what_was_stored(self, path: Path, end: str) -> None:
        """A flush before it is all that a project can do, and enough."""
        status = 3 if "_exit" in end else -signal.SIGKILL if "9" in end else -signal.SIGTERM
        assert run(f"send(*range(100)); assert get_flusher().flush(30); {end}", path, exits_with=status) == ""
        assert numbers(path) == list(range(100))


CHILDREN = """
import multiprocessing, sys

def work(first):
    send(*range(first, first + 20))

if __name__ == "__main__":
    method, kind = sys.argv[1:]
    context = multiprocessing.get_context(method)
    send(*range(20))
    if kind == "processes":
        children = [context.Process(target=work, args=(first,)) for first in (100, 200)]
        for child in children:
            child.start()
        send(*range(20, 40))
        for child in children:
            child.join()
            assert child.exitcode == 0
    elif kind == "pool":
        send(*range(20, 40))
        with context.Pool(2, maxtasksperchild=1) as pool:
            pool.map(work, [100, 200], chunksize=1)
            pool.close()
            pool.join()
    else:
        from concurrent.futures import ProcessPoolExecutor
        send(*range(20, 40))
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            list(pool.map(work, [100, 200]))
"""


class TestMultiprocessing:
    @pytest.mark.parametrize(
        ("method", "kind"),
        [
            ("fork", "processes"),
            ("fork", "pool"),
            ("fork", "executor"),
            ("forkserver", "processes"),
            ("spawn", "processes"),
        ],
    )
    def test_children_store_what_they_sent_last(self, path: Path, method: str, kind: str, tmp_path: Path) -> None:
        """They leave by ``os._exit``, of which ``atexit`` knows nothing; a child's sends are its own."""
        run(CHILDREN, path, method, kind, file=tmp_path / "program.py")
        assert numbers(path) == [*range(40), *range(100, 120), *range(200, 220)]
        by_process = Counter(event.process.pid for event in stored(path))
        assert max(by_process.values()) == 40  # the parent has nothing of its children


BESIDE_A_LONG_WRITE = """
import apsw
send(*range(5))
assert get_flusher().flush(30)
other = apsw.Connection(sys.argv[1])
other.execute("BEGIN IMMEDIATE")
threading.Timer(3.0, other.execute, ["COMMIT"]).start()  # longer than a writer waits for another
send(*range(5, 10))
"""


def test_a_process_that_ends_waits_for_who_writes(path: Path) -> None:
    """As long as it may take to end: a journal that is busy is not one that is gone."""
    run(BESIDE_A_LONG_WRITE, path, str(path))
    assert numbers(path) == [*range(10)]


def test_what_is_not_written_in_time_is_told(path: Path) -> None:
    """In the log of the process and in the account, by a reason of its own."""
    program = """
from livesignals.transport import flusher
from livesignals.transport.process import get_journal
assert get_flusher().flush(30)
journal = get_journal()
append = journal.append
def append_slowly(records, report):
    time.sleep(0.3)
    return append(records, report)
journal.append, flusher.CLOSE_SECONDS, flusher.BATCH_SENDS = append_slowly, 2, 1
send(*range(20))
"""
    told = re.search(r"sends that were lost: (\d+); they could not be written in the time", run(program, path))
    journal = open_journal(f"sqlite:///{path}", project="", retain_events=10, retain_bytes=2**20)
    counts = journal.counts()
    journal.close()
    assert told is not None
    assert counts.dropped == {"not written in time at exit": int(told[1])}
    assert counts.captured == counts.stored + counts.dropped["not written in time at exit"]


AWAY = """
import logging
from livesignals.transport import flusher
folder = os.path.dirname(sys.argv[1])
told = threading.Event()
class Log(logging.StreamHandler):
    def emit(self, record):
        super().emit(record)
        told.set()
logging.getLogger("livesignals").addHandler(Log())
def take_away():
    os.rename(folder, folder + ".away")
    open(folder, "w").close()
def bring_back():
    os.unlink(folder)
    os.rename(folder + ".away", folder)
send(*range(5))
assert get_flusher().flush(30)
"""


@pytest.fixture
def movable(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "journal.sqlite3"


@pytest.mark.parametrize(
    "sends", [range(5, 6), range(5, 17), range(5, 65)], ids=["one", "some", "more than the buffer holds"]
)
def test_what_a_process_loses_that_ends_while_its_journal_is_away_is_told(movable: Path, sends: range) -> None:
    """How many, and why: those that waited, and those for which the buffer had no room. It does not wait for it."""
    program = f"""
flusher.BUFFER_SENDS = 40
take_away()
send({sends[0]})
told.wait(30)
send(*{[*sends[1:]]})
"""
    why = r"the journal could not be used when the process ended: the journal .*" + re.escape(str(movable))
    told = rf"livesignals: sends that were lost: {len(sends)}; {why}.*\n\Z"
    assert re.search(told, run(AWAY + program, movable, str(movable)))


def test_a_journal_that_is_back_when_the_process_ends_has_it_all(movable: Path) -> None:
    """It is tried once more, however long the process would else have waited until it tried again."""
    program = """
flusher.RETRY_SECONDS = (60,)
take_away()
send(5)
told.wait(30)
send(*range(6, 20))
bring_back()
"""
    log = run(AWAY + program, movable, str(movable))
    assert "sends that were lost" not in log
    assert log.endswith("livesignals: the journal can be used again\n")
    assert numbers(movable) == [*range(20)]


@pytest.mark.parametrize("settings", ["{}", "{'COUNT': ['*']}", "{'SAMPLE': {'*': 2}, 'FLOOD': 1}"])
def test_the_end_of_the_interpreter_is_quiet(path: Path, settings: str) -> None:
    """A send from a ``__del__`` when modules are gone reaches its receivers, and nothing of ours is on stderr."""
    chosen = f"from django.conf import settings\nsettings.LIVESIGNALS = {settings}\ndjango.setup()"
    start = START.replace("django.setup()", chosen)
    program = """
from django.contrib.auth.models import User
from django.db.models.signals import pre_init
class Late:
    def __del__(self):
        numbered.send(sender="late", n=1)
kept = [Late(), Signal(), User(username="x")]
kept[1].send(sender="a signal that ends with the program")
send(*range(3))
"""
    assert run(program, path, start=start) == ""
