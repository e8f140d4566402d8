"""Many open dashboards with a filter each on one daphne process, beside the plain way of doing it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.figures import Figure
from tests.benchmarks.pages import new_shop
from tests.benchmarks.painting import percentile
from tests.browser.conftest import Shop
from tests.dashboard.conftest import use_link
from tests.processes import Program, free_port

READERS, STALLED, RATE, SECONDS = 200, 10, 2_000, 10
#: How the cost grows: readers and sends a second.
GROWTH = ((1, 2_000), (50, 2_000), (500, 2_000), (10, 1_000), (10, 10_000), (10, 50_000))
SENDING = """
import time
from django.dispatch import Signal
flood = Signal()
began = time.perf_counter()
for n in range({rate} * {seconds}):
    if n % {step} == 0:
        delay = began + n / {rate} - time.perf_counter()
        if delay > 0:
            time.sleep(delay)
    flood.send(sender=str(n % {readers}), at=time.time())
print("took", time.perf_counter() - began)
"""


class Seen(NamedTuple):
    """What came of one run."""

    delays: list[float]  # ms from send to frame, sorted
    sent: int
    took: float  # seconds that sending took
    cpu: float  # of the server, as a share of one core
    mib: float  # of the server, resident


def measure() -> Iterator[Figure]:
    """Send in another process to frame at the reader, p95; and the server's processor time."""
    plain = _plain(READERS, RATE, SECONDS)
    with new_shop() as shop, _served(shop) as cookie:
        alone = _ours(shop, cookie, READERS, 0, RATE, SECONDS)
        beside = _ours(shop, cookie, READERS, STALLED, RATE, SECONDS)
        ours = f"{READERS} readers with {READERS} filters, {RATE:,} sends/s"
        others = f"the plain way {percentile(plain.delays, 95):,.0f} ms at {plain.sent / plain.took:,.0f} sends/s"
        p95 = percentile(beside.delays, 95)
        yield Figure(f"{ours}, send to frame, p95", p95, "ms", f"{STALLED} more never read; {others}", at_most=250)
        yield Figure(
            "… without those", percentile(alone.delays, 95), "ms", f"p50 {percentile(alone.delays, 50):.0f} ms"
        )
        told = f"the plain way {plain.cpu / (plain.sent / plain.took) * 1e6:,.0f} µs"
        yield Figure("… the server's processor time a send", beside.cpu / RATE * 1e6, "µs", told)
        for readers, rate in GROWTH:
            seen = _ours(shop, cookie, readers, 0, rate, 5)
            pace = (
                f"p95 {percentile(seen.delays, 95):,.0f} ms, {seen.sent / seen.took:,.0f} sends/s, {seen.mib:.0f} MiB"
            )
            yield Figure(f"one core of the server: {readers} readers, {rate:,} sends/s", seen.cpu * 100, "%", pace)


def _ours(shop: Shop, cookie: str, readers: int, stalled: int, rate: int, seconds: int) -> Seen:
    assert shop.server is not None
    with _reading(f"ws://127.0.0.1:{shop.port}/livesignals/socket/", cookie, readers, stalled) as reading:
        pid, began = shop.server.process.pid, time.time()
        before = _cpu(pid)
        code = SENDING.format(rate=rate, seconds=seconds, readers=readers, step=max(1, rate // 500))
        output, _ = shop.spawn("shell", "-c", code).communicate(timeout=20 * seconds)
        took = float(output.split("took")[-1])
        time.sleep(1)
        cpu = (_cpu(pid) - before) / (took + 1)
        mib = _mib(pid)
        arrived = _ended(reading)
    command = [sys.executable, "project/manage.py", "livesignals", "export", f"kwargs.at>={began}"]
    lines = subprocess.run(command, env=shop.environment, capture_output=True, text=True, check=True).stdout
    sent = {event["id"]: event["kwargs"]["at"] for event in map(json.loads, lines.splitlines())}
    return Seen(_delays(arrived, sent), rate * seconds, took, cpu, mib)


def _plain(readers: int, rate: int, seconds: int) -> Seen:
    redis = shutil.which("redis-server")
    assert redis is not None
    with new_shop() as shop, ExitStack() as stack:
        port, redis_port = free_port(), free_port()
        arguments = [redis, "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(shop.folder)]
        stack.enter_context(Program(arguments, log=shop.folder / "redis.log")).wait_for_port(redis_port)
        environment = shop.environment | {
            "BENCH_REDIS": f"redis://127.0.0.1:{redis_port}/0",
            "LIVESIGNALS_JOURNAL": "memory:",
            "SHOP_DEBUG": "0",
        }
        daphne = [sys.executable, "-m", "daphne", "--port", str(port), "tests.benchmarks.inside.plain:application"]
        server = stack.enter_context(Program(daphne, log=shop.folder / "plain.log", env=environment))
        server.wait_for_port(port)
        with _reading(f"ws://127.0.0.1:{port}/", "", readers, 0) as reading:
            pid = server.process.pid
            before = _cpu(pid)
            sender = [sys.executable, "-m", "tests.benchmarks.inside.plain", str(readers), str(rate), str(seconds)]
            told = json.loads(
                subprocess.run(sender, env=environment, capture_output=True, text=True, check=True).stdout
            )
            time.sleep(1)
            cpu = (_cpu(pid) - before) / (told["took"] + 1)
            mib = _mib(pid)
            arrived = _ended(reading)
    sent = {int(number): at for number, at in told["sent"].items()}
    return Seen(_delays(arrived, sent), len(sent), told["took"], cpu, mib)


@contextmanager
def _served(shop: Shop) -> Iterator[str]:
    """The cookie that opens the dashboard."""
    shop.start()
    try:
        yield use_link(shop)
    finally:
        shop.stop()


@contextmanager
def _reading(url: str, cookie: str, readers: int, stalled: int) -> Iterator["subprocess.Popen[str]"]:
    """Readers in a process of their own, all of which have their first rows."""
    command = [sys.executable, "-m", "tests.benchmarks.inside.readers", url, cookie, str(readers), str(stalled)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reading:
        assert reading.stdout is not None
        assert reading.stdout.readline() == "ready\n"
        yield reading


def _ended(reading: "subprocess.Popen[str]") -> dict[int, float]:
    """When each row arrived, by id."""
    output, _ = reading.communicate(timeout=60)
    return {int(number): at for number, at in json.loads(output)["arrived"].items()}


def _delays(arrived: dict[int, float], sent: dict[int, float]) -> list[float]:
    return sorted((at - sent[number]) * 1e3 for number, at in arrived.items() if number in sent)


def _cpu(pid: int) -> float:
    """Seconds of processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _mib(pid: int) -> float:
    """Its resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
