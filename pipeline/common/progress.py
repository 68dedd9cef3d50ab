"""Show the progress of long work: a bar in a terminal, now and then a line in a log."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

SECONDS = 30.0
"""Time between two lines in a log. Shorter work prints none."""


def in_terminal() -> bool:
    """Whether stderr is a terminal, where a bar can move. In the log of a queue or a cluster it cannot."""
    return sys.stderr.isatty()


def log(line: str) -> None:
    """Print a line to stderr at once."""
    print(line, file=sys.stderr, flush=True)


class _Log:
    """A file for tqdm, which puts a carriage return before its text, and spaces after it."""

    def write(self, text: str) -> None:
        if line := text.strip():
            log(line)


def progress_bar(iterable: Iterable[Any] | None = None, **options: Any) -> "tqdm[Any]":
    """Make a bar with the options of tqdm. Outside of a terminal it prints a line every `SECONDS` instead."""
    if not in_terminal():
        # No bar, and no movements of the cursor for a bar within another one.
        options |= {"file": _Log(), "ncols": 0, "position": 0, "leave": False}
        # With miniters=1, tqdm looks at the clock after each item.
        options |= {"delay": SECONDS, "mininterval": SECONDS, "miniters": 1}
    return tqdm(iterable, **options)
