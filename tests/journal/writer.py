"""A process that appends: ``python -m tests.journal.writer URL TOKEN BATCHES SIZE``."""

import sys

from livesignals.events import Process
from livesignals.journal import open_journal
from tests.journal.building import Sender, make_event


def main(url: str, token: str, batches: int, size: int) -> None:
    journal = open_journal(url, project="shop", retain_events=10_000_000, retain_bytes=10**10)
    sender = Sender(journal, token)
    for batch in range(batches):
        numbers = range(batch * size + 1, (batch + 1) * size + 1)
        events = [make_event(thread=token, process=Process(host="web1", pid=1, seq=seq)) for seq in numbers]
        appended = sender.append(events)
        print(appended.first, appended.last, flush=True)
    journal.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
