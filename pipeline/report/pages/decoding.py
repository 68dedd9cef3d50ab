"""What beam searches with a language model gain over greedy reading, and how far their confidence can be trusted."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.metrics.error_rates import BY_SEED
from pipeline.plots.save import save_figure
from pipeline.report.analysis.rates import Rates, resample_rates
from pipeline.report.figures.charts import COLOURS
from pipeline.report.pages.markdown import markdown_table, with_interval, with_spread
from pipeline.runtime.timings import read_timing

matplotlib.use("agg")
KINDS = ("lines", "characters")
READINGS = ("greedy", "prediction")
PAGE = """# Reading with a language model

Test lines read by CTC beam search with a character n-gram model of the training text, beside the greedy reading of the
same trained model. Weights and bonus were chosen, and confidence was calibrated, on validation lines alone.

{rates}

In brackets the 95 % interval of a bootstrap over the lines, of the differences a paired one. **lines/s**: searching
alone, without the model's own time. **weight**, **prior**: of the language model's log-probability, and of the
characters' own, which is taken off; **bonus**: for each character.
{several}
## Confidence

{calibration}

A line's confidence is its reading's share of the weight of all texts in the beam; a character's is the share of those
texts that have it too. The expected calibration error is how far confidence is from the share that is right, on average
over test lines or characters.

![Share that is right by confidence; dotted before calibration](calibration.png)
"""


SEVERAL = """
± is the standard deviation between the models of several seeds, each with its own **weight**, **prior** and **bonus**.
All else, below too, is their mean.
"""


@dataclass(frozen=True)
class Decoding:
    """One beam search over the test lines, by the models of all seeds of its experiment."""

    key: str
    metrics: Mapping[str, Any]
    """Means over the seeds."""
    by_seed: Mapping[int, Mapping[str, Any]]
    """What was chosen and measured of each, in the order of the settings."""
    rates: Mapping[str, Rates]
    """Of the `greedy` reading and of the beam's `prediction`, on the same resamples of the lines; means over seeds."""
    lines_per_second: float

    def error_rate(self, reading: str, metric: str) -> str:
        """The CER of that reading with its interval, and the spread of its `metric` over seeds."""
        every = [measured[metric] for measured in self.by_seed.values()]
        return with_spread(self.rates[reading]["cer"], stdev(every) if len(every) > 1 else math.nan, len(every))

    def calibration(self, kind: str, name: str) -> float:
        """A number of the calibration of lines or of characters, its mean over the seeds."""
        return fmean(measured["calibration"][kind][name] for measured in self.by_seed.values())

    def chosen(self, name: str) -> str:
        """A weight or bonus of each seed, where they differ."""
        return ", ".join(dict.fromkeys(str(measured[name]) for measured in self.by_seed.values()))


def read_decoding(key: str) -> Decoding:
    """All that was kept of one beam search.

    Raises:
        InputError: a file is absent or damaged.
    """
    try:
        metrics = json.loads(paths.decoding_metrics(key).read_text(encoding="utf-8"))
        table = pd.read_csv(paths.decoding_predictions(key), dtype=str, keep_default_na=False, na_filter=False)
        tables = [of_seed for _, of_seed in table.groupby("seed", sort=False)]
        readings = {name: [list(of_seed[name]) for of_seed in tables] for name in READINGS}
        rates = resample_rates(list(tables[0]["text"]), readings)
        by_seed = {int(seed): measured for seed, measured in metrics.pop(BY_SEED).items()}
        return Decoding(key, metrics, by_seed, rates, read_timing(key, "decode").mean)
    except (OSError, ValueError, LookupError) as error:
        raise InputError(f"decodings/{key}: cannot be read ({error}); run `dvc repro decode@{key}`") from None


def decoding_page(decodings: Sequence[Decoding]) -> str:
    """Markdown with a table of rates and one of calibration."""
    rates = {
        "decoding": [f"`{one.key}`" for one in decodings],
        "experiment": [f"`{one.metrics['experiment']}`" for one in decodings],
        "CER greedy": [one.error_rate("greedy", "test_cer_greedy") for one in decodings],
        "CER beam": [one.error_rate("prediction", "test_cer") for one in decodings],
        "difference in points": [_difference(one, "cer") for one in decodings],
        "WER greedy": [with_interval(one.rates["greedy"]["wer"]) for one in decodings],
        "WER beam": [with_interval(one.rates["prediction"]["wer"]) for one in decodings],
        "exact lines": [with_interval(one.rates["prediction"]["exact"]) for one in decodings],
        "weight": [one.chosen("lm_weight") for one in decodings],
        "bonus": [one.chosen("length_bonus") for one in decodings],
        "prior": [one.chosen("prior_weight") for one in decodings],
        "lines/s": [f"{one.lines_per_second:,.0f}" for one in decodings],
    }
    both = [(one, kind) for one in decodings for kind in KINDS]
    calibration = {
        "decoding": [f"`{one.key}`" for one, _ in both],
        "of": [kind for _, kind in both],
        "temperature": [f"{one.calibration(kind, 'temperature'):.2f}" for one, kind in both],
        "calibration error before": [f"{one.calibration(kind, 'error_before'):.2%}" for one, kind in both],
        "after": [f"{one.calibration(kind, 'error'):.2%}" for one, kind in both],
    }
    return PAGE.format(
        rates=markdown_table(pd.DataFrame(rates)),
        calibration=markdown_table(pd.DataFrame(calibration)),
        several=SEVERAL if any(len(one.by_seed) > 1 for one in decodings) else "",
    )


def decoding_summary(decodings: Sequence[Decoding]) -> dict[str, dict[str, float]]:
    """For `dvc metrics`."""
    names = {"cer": "test_cer", "cer_greedy": "test_cer_greedy", "wer": "test_wer", "wer_greedy": "test_wer_greedy"}
    return {one.key: {name: round(one.metrics[source], 4) for name, source in names.items()} for one in decodings}


def draw_reliability(path: Path, decodings: Sequence[Decoding]) -> None:
    """Write a PNG: the share that was right by confidence, for lines and for characters; dotted before calibration."""
    figure = Figure(figsize=(8, 4), dpi=110, layout="constrained")
    for axis, kind in zip(figure.subplots(1, len(KINDS)), KINDS, strict=True):
        axis.plot([0, 1], [0, 1], color="#c4c8ce", linewidth=0.8)
        for number, one in enumerate(decodings):
            colour = COLOURS[number % len(COLOURS)]
            for place, measured in enumerate(one.by_seed.values()):
                found, label = measured["calibration"][kind], None if place else one.key  # one entry for all seeds
                _draw(axis, found["bins_before"], color=colour, linestyle="dotted", linewidth=0.9)
                _draw(axis, found["bins"], color=colour, linewidth=1.6, marker="o", markersize=3.5, label=label)
        axis.set_title(kind, loc="left", size=10)
        axis.set_xlabel("confidence", size=9)
        axis.set_ylabel("share that is right", size=9)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        if decodings:
            axis.legend(frameon=False, fontsize=8)
    save_figure(figure, path)


def _draw(axis: "matplotlib.axes.Axes", bins: Sequence[Mapping[str, float]], **style: Any) -> None:
    axis.plot([one["confidence"] for one in bins], [one["right"] for one in bins], **style)


def _difference(one: Decoding, name: str) -> str:
    change = one.rates["prediction"].minus(one.rates["greedy"], name)
    return f"{change.value * 100:+.2f} ({change.low * 100:+.1f} to {change.high * 100:+.1f})"
