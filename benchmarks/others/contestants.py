"""Contestants that take turns, and the table of what they did."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pipeline.common.progress import progress_bar
from pipeline.metrics.error_rates import character_error_rate

READING, COLD_START = "reading", "cold start"
WITH_LM, WITHOUT_LM = "beam search, 6-grams", "beam search, no language model"
RATES, SYNTHESIS = "error rates", "synthesis"
SECTIONS = (READING, COLD_START, WITH_LM, WITHOUT_LM, RATES, SYNTHESIS)
SHORTEST_ROUND = 0.5
"""In seconds."""


@dataclass
class Contestant:
    """One way to do the work of a section."""

    section: str
    name: str
    run: Callable[[], tuple[float, list[str]]]
    """Does the work once; returns seconds and texts: those that were read, the error rate, or none."""
    seconds: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def measure(self) -> None:
        """One round, of at least half a second."""
        spent, times = 0.0, 0
        while spent < SHORTEST_ROUND:
            seconds, self.texts = self.run()
            spent, times = spent + seconds, times + 1
        self.seconds.append(spent / times)


def timed(work: Callable[[], list[str]]) -> Callable[[], tuple[float, list[str]]]:
    """The work with its seconds."""

    def run() -> tuple[float, list[str]]:
        start = time.perf_counter()
        texts = work()
        return time.perf_counter() - start, texts

    return run


def measure(contestants: Sequence[Contestant], rounds: int) -> None:
    """All of a section take turns; the first round warms up."""
    for number in progress_bar(range(rounds + 1), desc="rounds", unit="round"):
        for contestant in contestants:
            contestant.measure()
            if number == 0:
                contestant.seconds.clear()


def make_table(contestants: Sequence[Contestant], texts: Sequence[str]) -> pd.DataFrame:
    """Columns section, who, lines_per_second, slowest, fastest, cer (a fraction, or nothing).

    A contestant of a cold start has read the first of the lines.
    """
    rows = []
    for one in contestants:
        lines = texts[:1] if one.section == COLD_START else texts
        rates = [len(lines) / seconds for seconds in one.seconds]
        total = len(rates) * len(lines) / sum(one.seconds)
        rows.append((one.section, one.name, total, min(rates), max(rates), _error_rate(one, lines)))
    return pd.DataFrame(rows, columns=["section", "who", "lines_per_second", "slowest", "fastest", "cer"])


def _error_rate(one: Contestant, lines: Sequence[str]) -> float | None:
    if one.section == RATES:
        return float(one.texts[0])
    return character_error_rate(one.texts, lines) if one.texts else None
