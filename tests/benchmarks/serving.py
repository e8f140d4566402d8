"""Requests a second that the shop serves with each recorder and without."""

import http.client
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPMessage
from typing import Self

from tests.benchmarks.figures import Figure
from tests.benchmarks.subjects import RIVALS, ROOT, Answer, Subject, environment, fastest, new_folder, started
from tests.processes import Program, free_port

SUBJECTS = ("plain", "livesignals", *RIVALS)
ROUNDS = 30
#: Of a round: many times as long as the flusher waits for company, so that its work is a part of it.
REQUESTS = dict.fromkeys(SUBJECTS, 24) | {"django-orbit": 6}
CLIENTS = 2  # at once
APPLICATION = "tests.benchmarks.inside.asgi:application"


def measure() -> Iterator[Figure]:
    """A customer orders: a session, a transaction, some fifteen queries and as many sends, some inside others."""
    with started(SUBJECTS, "requests") as subjects:
        yield from _compared("WSGI handler", subjects)
    with ExitStack() as stack:
        yield from _compared("daphne, HTTP", {name: stack.enter_context(Server(name)) for name in SUBJECTS})


def _compared(where: str, subjects: Mapping[str, "Subject | Server"]) -> Iterator[Figure]:
    rounds: dict[str, list[Answer]] = {name: [] for name in SUBJECTS}
    for number in range(ROUNDS + 1):
        for name, subject in subjects.items():
            answer = subject.ask(requests=REQUESTS[name])
            # Of every request at least the saves of order, line and product, and the shop's own signal.
            if answer["recorded"] < 4 * REQUESTS[name] and name != "plain":
                raise RuntimeError(f"{name} recorded {answer['recorded']}: its figures would mean nothing")
            if number:  # the first warms up
                rounds[name].append(answer)
    rates = {name: REQUESTS[name] / fastest(answers, "seconds") for name, answers in rounds.items()}
    cpu_ms = {name: fastest(answers, "cpu") / REQUESTS[name] * 1e3 for name, answers in rounds.items()}
    sends = fastest(rounds["livesignals"], "recorded") / REQUESTS["livesignals"]
    others = ", ".join(f"{name} {rates[name] / rates['plain']:.2f} ×" for name in RIVALS)
    yield Figure(
        f"requests/s with capture to without, {sends:.0f} sends each ({where})",
        rates["livesignals"] / rates["plain"],
        "×",
        f"{rates['livesignals']:.0f} to {rates['plain']:.0f} requests/s; {others}",
        at_least=0.97,
    )
    others = ", ".join(f"{name} {cpu_ms[name] / cpu_ms['plain']:.2f} ×" for name in RIVALS)
    yield Figure(
        "… processor time of a request with capture to without, all threads",
        cpu_ms["livesignals"] / cpu_ms["plain"],
        "×",
        f"{cpu_ms['livesignals']:.2f} to {cpu_ms['plain']:.2f} ms; {others}",
    )


class Client:
    """A customer over HTTP, on one connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        headers, entered = self._call("GET", "/bench/enter/", {}, status=200)
        cookies = [cookie.partition(";")[0] for cookie in headers.get_all("Set-Cookie", [])]
        self.headers = {"Cookie": "; ".join(cookies), "X-CSRFToken": json.loads(entered)["token"]}

    def order(self, times: int) -> None:
        for _ in range(times):
            self._call("POST", "/bench/order/", self.headers, status=302)

    def figures(self) -> Answer:
        answer: Answer = json.loads(self._call("GET", "/bench/figures/", {}, status=200)[1])
        return answer

    def _call(self, method: str, path: str, headers: dict[str, str], status: int) -> tuple[HTTPMessage, bytes]:
        self.connection.request(method, path, headers=headers)
        response = self.connection.getresponse()
        body = response.read()
        if response.status != status:
            raise RuntimeError(f"{method} {path} answered {response.status}")
        return response.headers, body


class Server:
    """daphne with the shop and a recorder, and customers in it."""

    def __init__(self, subject: str, journal: str = "") -> None:
        """*journal*: the URL of livesignals' own; an SQLite file in its folder, if it is empty."""
        self.subject = subject
        self.journal = journal
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        folder, port = self._stack.enter_context(new_folder()), free_port()
        command = [sys.executable, "-m", "daphne", "--port", str(port), "--access-log", os.devnull, APPLICATION]
        env = environment(self.subject, folder) | {"BENCH_JOURNAL": self.journal}
        program = Program(command, log=folder / "server.log", cwd=ROOT, env=env)
        self._stack.enter_context(program)
        program.wait_for_port(port)
        self.clients = [Client(port) for _ in range(CLIENTS)]
        self.pool = self._stack.enter_context(ThreadPoolExecutor(CLIENTS))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def ask(self, requests: int) -> Answer:
        """As :func:`tests.benchmarks.inside.requests.measure`, with *CLIENTS* at once."""
        before = self.clients[0].figures()
        began = time.perf_counter()
        list(self.pool.map(lambda client: client.order(requests // CLIENTS), self.clients))
        seconds = time.perf_counter() - began
        after = self.clients[0].figures()
        return {"seconds": seconds} | {key: after[key] - before[key] for key in after}
