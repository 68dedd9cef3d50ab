"""The most frequent confusions, as a table for DVC's confusion matrix."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from pipeline.report.analysis.alignment import find_confusions, show_spaces
from pipeline.report.analysis.results import Result

SHOWN = 16
"""Characters in the matrix. With all 63 it cannot be read."""


def confusion_table(result: Result, shown: int = SHOWN) -> pd.DataFrame:
    """Columns text and reading; one row for each substitution among the `shown` most confused characters.

    Correct predictions are left out: they are so many that nothing else would be visible. Without confusions there is
    one row of empty quotes, because DVC cannot draw an empty table.
    """
    confusions = find_confusions(result.alignments)
    involved: Counter[str] = Counter()
    for (true, predicted), positions in confusions.items():
        involved[true] += len(positions)
        involved[predicted] += len(positions)
    frequent = set(sorted(involved, key=lambda character: (-involved[character], character))[:shown])
    rows = [
        (show_spaces(true), show_spaces(predicted))
        for (true, predicted), positions in confusions.items()
        if {true, predicted} <= frequent
        for _ in positions
    ]
    return pd.DataFrame(sorted(rows) or [("''", "''")], columns=["text", "reading"])


def best_result(results: Sequence[Result]) -> Result:
    """The experiment with the lowest test CER."""
    return min(results, key=lambda result: float(result.metrics["test_cer"]))
