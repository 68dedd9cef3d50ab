"""How often confidence intervals hold when the characters and the texts of the test lines are drawn anew."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from pipeline.data.storage.characters import Characters
from pipeline.data.storage.lines import Lines
from pipeline.data.synthesis.synthesize import synthesize
from pipeline.inference.batches import predict_all
from pipeline.models.recognizer import Recognizer
from pipeline.report.analysis.bootstrap import Deviations, Estimate
from pipeline.report.analysis.rates import Rates, resample_rates
from pipeline.runtime.hardware import ComputeConfig
from pipeline.settings.lines import LinesSettings

METHODS = ("lines and images", "not scaled", "lines alone")
"""The intervals of the reports, those of their resamples as they are, and those of a bootstrap over the lines."""
RATES = ("cer", "cer_folded", "wer", "exact")
NO_DEVIATIONS = Deviations(np.zeros(1), np.zeros(1), np.zeros(1), np.ones(1), weighted=True)


@dataclass(frozen=True)
class FreshTestSets:
    """Test sets with other characters and other texts, drawn from all test characters and the test text."""

    words: Sequence[str]
    characters: Characters
    settings: LinesSettings
    lines: int
    """Lines of each set. It has the same share of the images of each character as of `settings.test`."""

    def draw(self, rng: np.random.Generator) -> Lines:
        """Draw images of each character with replacement, and lines with them."""
        labels, share = self.characters.labels, self.lines / self.settings.test
        members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        drawn = [rng.choice(one, size=max(1, round(share * len(one)))) for one in members]
        characters = self.characters.take(np.concatenate(drawn))
        return join_blocks(list(synthesize(self.words, characters, self.settings, self.lines, rng)))


def join_blocks(blocks: Sequence[Lines]) -> Lines:
    """All lines of the blocks."""
    images, widths, starts, numbers = (
        np.concatenate([getattr(block, name) for block in blocks])
        for name in ("images", "widths", "starts", "image_numbers")
    )
    return Lines(images, [text for block in blocks for text in block.texts], widths, starts, numbers)


def measure_intervals(
    recognizers: Mapping[str, Recognizer], lines: Lines, *, batch_size: int, compute: ComputeConfig
) -> pd.DataFrame:
    """Rows method, of, rate, value, low, high: each rate of each model and, for each pair, the difference of rates."""
    predictions = {
        key: [predict_all(recognizer, lines, batch_size=batch_size, compute=compute)[0]]
        for key, recognizer in recognizers.items()
    }
    both = resample_rates(lines.texts, predictions, image_numbers=lines.image_numbers)
    as_they_are = {key: replace(one, deviations=dict.fromkeys(RATES, NO_DEVIATIONS)) for key, one in both.items()}
    by_method = dict(zip(METHODS, (both, as_they_are, resample_rates(lines.texts, predictions)), strict=True))
    rows = [
        {"method": method, "of": of, "rate": rate, "value": found.value, "low": found.low, "high": found.high}
        for method, rates in by_method.items()
        for of, rate, found in list_estimates(rates)
    ]
    return pd.DataFrame(rows)


def list_estimates(rates: Mapping[str, Rates]) -> Iterator[tuple[str, str, Estimate]]:
    """Each of `RATES` of each model, and the differences of all pairs of models."""
    for rate in RATES:
        for key, one in rates.items():
            yield key, rate, one[rate]
        for a, b in combinations(rates, 2):
            yield f"{a} - {b}", rate, rates[a].minus(rates[b], rate)


def count_coverage(measured: pd.DataFrame) -> pd.DataFrame:
    """One row for each method, model or pair, and rate, from the rows of all test sets.

    The true value is the mean over all sets: together they have every character, and so many lines that its own error
    is small. `standard_error` is what the intervals say, `deviation` what the sets say.
    """
    found = measured.copy()
    found["truth"] = found.groupby(["of", "rate"])["value"].transform("mean")
    found["holds"] = found["truth"].between(found["low"], found["high"])
    found["width"] = found["high"] - found["low"]
    table = found.groupby(["of", "rate", "method"], sort=False).agg(
        truth=("truth", "first"),
        deviation=("value", "std"),
        width=("width", "mean"),
        holds=("holds", "sum"),
        sets=("holds", "size"),
    )
    return table.reset_index()
