"""The characters that are confused most, as a table from which DVC draws its confusion matrix."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from pipeline.report.analysis.alignment import confusions, visible
from pipeline.report.analysis.results import Result

SHOWN = 16
"""Characters in the picture: all 63 cannot be told apart."""


def confusion_table(result: Result, shown: int = SHOWN) -> pd.DataFrame:
    """Columns text and reading, one row for each substitution among the `shown` characters that take part in most.

    Right readings are left out: they are so many that nothing else would have a colour. Where nothing is
    confused, one row of empty quotes stands for that, because DVC draws no table without rows.
    """
    found = confusions(result.alignments)
    part: Counter[str] = Counter()
    for (said, read), places in found.items():
        part[said] += len(places)
        part[read] += len(places)
    frequent = set(sorted(part, key=lambda character: (-part[character], character))[:shown])
    rows = [
        (visible(said), visible(read))
        for (said, read), places in found.items()
        if {said, read} <= frequent
        for _ in places
    ]
    return pd.DataFrame(sorted(rows) or [("''", "''")], columns=["text", "reading"])


def best_result(results: Sequence[Result]) -> Result:
    """The experiment with the lowest test CER."""
    return min(results, key=lambda result: float(result.metrics["test_cer"]))
