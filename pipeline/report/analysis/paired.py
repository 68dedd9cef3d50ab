"""Paired differences between experiments: are they larger than the choice of texts and character images explains?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.report.analysis.bootstrap import Estimate
from pipeline.report.analysis.rates import Rates
from pipeline.report.analysis.results import Result

RATES = ("cer", "cer_plain")


@dataclass(frozen=True)
class Matrix:
    """The experiments on one data set of lines: `rows[a][b]` is the CER of `keys[a]` minus the CER of `keys[b]`."""

    lines: str
    rate: str
    """The name of the CER in `Rates`."""
    keys: list[str]
    rows: list[list[Estimate | None]]
    """None on the diagonal."""


def compare_pairs(results: Sequence[Result], rates: Mapping[str, Rates]) -> list[Matrix]:
    """One matrix for each data set with at least two experiments, and a second one for transcribed lines."""
    matrices = []
    for name in dict.fromkeys(result.experiment.lines for result in results):
        keys = [result.key for result in results if result.experiment.lines == name]
        if len(keys) > 1:
            for rate in RATES:
                if rate in rates[keys[0]].measured:
                    rows = [[rates[a].minus(rates[b], rate) if a != b else None for b in keys] for a in keys]
                    matrices.append(Matrix(name, rate, keys, rows))
    return matrices
