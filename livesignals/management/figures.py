"""Figures with what they count, for a terminal."""


def figure(n: int, what: str) -> str:
    """ "1 event", "1,204 events": *n* things of the name *what*, which makes its plural with an s."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"
