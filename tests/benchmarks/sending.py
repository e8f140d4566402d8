"""What a recorder adds to one send."""

from collections.abc import Iterator

from tests.benchmarks.figures import Figure, number
from tests.benchmarks.subjects import RIVALS, Subject, fastest, started

SUBJECTS = ("plain", "livesignals", "switched off", *RIVALS)
CASES = (("post_save", 0), ("post_save", 1), ("post_save", 3), ("custom", 1))
ROUNDS = 25
ROUNDS_UNTIL_KEPT = 8
#: Sends of a burst. All that livesignals is given fits into the time for which its thread waits for company.
SENDS = 300
#: Several batches: what it costs to wake a thread and to commit is shared as it is in a flood.
SENDS_UNTIL_KEPT = {"plain": 5_000, "livesignals": 5_000, "switched off": 5_000}
#: Those that write into the database with every send.
SLOW = {"django-orbit": 20, "django-scope": 20}


def measure() -> Iterator[Figure]:
    """A send with a model instance: 0, 1 and 3 receivers, everything recorded; and switched off."""
    with started(SUBJECTS, "sends") as subjects:
        for signal, receiver_count in CASES:
            what = f"a {signal} send with {receiver_count} receiver{'' if receiver_count == 1 else 's'}"
            plain, added = _added(subjects, signal, receiver_count, "send_us")
            told = f"plain {plain:.2f} µs; " + _told(added, receiver_count)
            yield Figure(f"added to {what}, on its thread", added["livesignals"], "µs", told)
            if (signal, receiver_count) == ("post_save", 1):
                share = added["livesignals"] / added["sentry-sdk"]
                told = "without the end of the transaction, which sentry-sdk serialises on the same thread"
                yield Figure("… as a share of what sentry-sdk's spans add", share, "×", told, at_most=0.2)
                told = "capture attached, the signal left out by SIGNALS"
                yield Figure(f"added to {what}, switched off", added["switched off"], "µs", told, at_most=0.25)
                plain, added = _added(subjects, signal, receiver_count, "cpu_us")
                told = f"plain {plain:.2f} µs; " + _told(added, receiver_count)
                yield Figure("… processor time, all threads, until it is kept", added["livesignals"], "µs", told)


def _added(
    subjects: dict[str, Subject], signal: str, receiver_count: int, figure: str
) -> tuple[float, dict[str, float]]:
    """µs of one plain send, and what each recorder adds to it."""
    until_kept = figure == "cpu_us"
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in subjects}
    for _ in range(ROUNDS_UNTIL_KEPT if until_kept else ROUNDS):
        for name, subject in subjects.items():
            sends = SLOW.get(name, SENDS_UNTIL_KEPT.get(name, SENDS) if until_kept else SENDS)
            answer = subject.ask(signal=signal, receiver_count=receiver_count, sends=sends)
            kept = {"plain": 0, "switched off": 0, "sentry-sdk": sends * receiver_count}.get(name, sends)
            if answer["recorded"] != kept:
                raise RuntimeError(f"{name} recorded {answer['recorded']} of {kept}: its figures would mean nothing")
            rounds[name].append(answer)
    best = {name: fastest(answers, figure) for name, answers in rounds.items()}
    return best["plain"], {name: best[name] - best["plain"] for name in subjects}


def _told(added: dict[str, float], receiver_count: int) -> str:
    """The rivals' figures; sentry-sdk has a span for a receiver, so without one it records nothing."""
    return ", ".join(
        "sentry-sdk records nothing"
        if name == "sentry-sdk" and not receiver_count
        else f"{name} {number(added[name])} µs"
        for name in RIVALS
    )
