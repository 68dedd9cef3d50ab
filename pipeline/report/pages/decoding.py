"""The page on beam searches: their gain over greedy decoding, and the calibration of their confidence."""

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
from pipeline.data.storage.line_store import read_lines
from pipeline.data.storage.lines import Lines
from pipeline.metrics.error_rates import BY_SEED
from pipeline.metrics.groups import MEDIAN
from pipeline.plots.save import save_figure
from pipeline.report.analysis.rates import Rates, resample_rates
from pipeline.report.figures.charts import COLOURS
from pipeline.report.pages.markdown import markdown_table, render_markdown, with_interval, with_spread
from pipeline.runtime.timings import read_timing
from pipeline.settings.base import read_section
from pipeline.settings.decoding import DecodingSettings
from pipeline.settings.experiment import ExperimentSettings

matplotlib.use("agg")
KINDS = ("lines", "characters")
PREDICTIONS = ("greedy", "prediction")
"""Columns of predicted texts."""


@dataclass(frozen=True)
class Decoding:
    """One block of `decoding`: beam search with the models of all seeds of its experiment."""

    key: str
    metrics: Mapping[str, Any]
    """Means over the seeds."""
    by_seed: Mapping[int, Mapping[str, Any]]
    """Chosen weights and metrics of each seed, in the order of `params.yaml`."""
    rates: Mapping[str, Rates]
    """Of the columns `greedy` and `prediction`, with the same resamples; means over seeds."""
    lines_per_second: float

    def format_cer(self, column: str, metric: str) -> str:
        """The CER of a column of predictions with its interval, and the spread of the same `metric` over seeds."""
        rates = [metrics[metric] for metrics in self.by_seed.values()]
        return with_spread(self.rates[column]["cer"], stdev(rates) if len(rates) > 1 else math.nan, len(rates))

    def calibration(self, kind: str, name: str) -> float:
        """A number from the calibration of `lines` or `characters`, the mean over the seeds."""
        return fmean(metrics["calibration"][kind][name] for metrics in self.by_seed.values())

    def format_chosen(self, name: str) -> str:
        """The distinct values that the seeds chose for a weight or bonus."""
        return ", ".join(dict.fromkeys(str(metrics[name]) for metrics in self.by_seed.values()))


def read_decodings(keys: Sequence[str]) -> list[Decoding]:
    """Read all outputs of beam searches, and the test lines that they decode.

    Raises:
        InputError: a file is missing or damaged.
    """
    lines: dict[Path, Lines] = {}
    decodings = []
    for key in keys:
        experiment = read_section(DecodingSettings, "decoding", key).experiment
        path = paths.lines(read_section(ExperimentSettings, "experiments", experiment).lines)
        if path not in lines:
            lines[path] = read_lines(path, "test")
        decodings.append(read_decoding(key, lines[path], path))
    return decodings


def read_decoding(key: str, lines: Lines, path: Path) -> Decoding:
    """Read all outputs of one beam search on the test lines that are stored in `path`.

    Raises:
        InputError: a file is missing or damaged, or the predictions do not belong to these lines.
    """
    try:
        metrics = json.loads(paths.decoding_metrics(key).read_text(encoding="utf-8"))
        table = pd.read_csv(paths.decoding_predictions(key), dtype=str, keep_default_na=False, na_filter=False)
        tables = [seed_table for _, seed_table in table.groupby("seed", sort=False)]
        predictions = {name: [list(seed_table[name]) for seed_table in tables] for name in PREDICTIONS}
        if list(tables[0]["text"]) != lines.texts:
            raise ValueError(f"does not belong to the lines in {path}")
        rates = resample_rates(lines.texts, predictions, image_numbers=lines.image_numbers, groups=lines.groups)
        by_seed = {int(seed): seed_metrics for seed, seed_metrics in metrics.pop(BY_SEED).items()}
        return Decoding(key, metrics, by_seed, rates, read_timing(key, "decode").mean)
    except (OSError, ValueError, LookupError) as error:
        raise InputError(f"decodings/{key}: cannot be read ({error}); run `dvc repro decode@{key}`") from None


def decoding_page(decodings: Sequence[Decoding]) -> str:
    """The Markdown page, with a table of rates and a table of calibration."""
    rates = {
        "decoding": [f"`{decoding.key}`" for decoding in decodings],
        "experiment": [f"`{decoding.metrics['experiment']}`" for decoding in decodings],
        "CER greedy": [decoding.format_cer("greedy", "test_cer_greedy") for decoding in decodings],
        "CER beam": [decoding.format_cer("prediction", "test_cer") for decoding in decodings],
        "difference in points": [_format_difference(decoding, "cer") for decoding in decodings],
        "WER greedy": [with_interval(decoding.rates["greedy"]["wer"]) for decoding in decodings],
        "WER beam": [with_interval(decoding.rates["prediction"]["wer"]) for decoding in decodings],
        "exact lines": [with_interval(decoding.rates["prediction"]["exact"]) for decoding in decodings],
        "weight": [decoding.format_chosen("lm_weight") for decoding in decodings],
        "bonus": [decoding.format_chosen("length_bonus") for decoding in decodings],
        "prior": [decoding.format_chosen("prior_weight") for decoding in decodings],
        "lines/s": [f"{decoding.lines_per_second:,.0f}" for decoding in decodings],
    }
    rows = [(decoding, kind) for decoding in decodings for kind in KINDS]
    calibration = {
        "decoding": [f"`{decoding.key}`" for decoding, _ in rows],
        "of": [kind for _, kind in rows],
        "temperature": [f"{decoding.calibration(kind, 'temperature'):.2f}" for decoding, kind in rows],
        "calibration error before": [f"{decoding.calibration(kind, 'error_before'):.2%}" for decoding, kind in rows],
        "after": [f"{decoding.calibration(kind, 'error'):.2%}" for decoding, kind in rows],
    }
    return render_markdown(
        "report/templates/decoding.md.j2",
        folded=folded_table(decodings),
        rates=markdown_table(pd.DataFrame(rates)),
        calibration=markdown_table(pd.DataFrame(calibration)),
        several=any(len(decoding.by_seed) > 1 for decoding in decodings),
    )


def folded_table(decodings: Sequence[Decoding]) -> str:
    """The CERs on transcribed lines without case, accents and punctuation; empty without such lines."""
    own = [decoding for decoding in decodings if f"test_{MEDIAN}" in decoding.metrics]
    names = {"without case": "cer_folded", "without accents": "cer_no_accents"}
    names |= {"without punctuation": "cer_no_punctuation", "without all three": "cer_plain"}
    columns = {
        "decoding": [f"`{decoding.key}`" for decoding in own],
        **{
            f"CER beam {title}": [with_interval(decoding.rates["prediction"][name]) for decoding in own]
            for title, name in names.items()
        },
        "difference of the last one": [_format_difference(decoding, "cer_plain") for decoding in own],
        "median group greedy": [f"{decoding.metrics[f'test_{MEDIAN}_greedy']:.2%}" for decoding in own],
        "beam": [f"{decoding.metrics[f'test_{MEDIAN}']:.2%}" for decoding in own],
    }
    return markdown_table(pd.DataFrame(columns)) if own else ""


def decoding_summary(decodings: Sequence[Decoding]) -> dict[str, dict[str, float]]:
    """A few numbers for `dvc metrics`."""
    names = [f"{name}{suffix}" for name in ("cer", "wer", "cer_plain", MEDIAN) for suffix in ("", "_greedy")]
    return {
        decoding.key: {
            name: round(decoding.metrics[f"test_{name}"], 4) for name in names if f"test_{name}" in decoding.metrics
        }
        for decoding in decodings
    }


def draw_calibration(path: Path, decodings: Sequence[Decoding]) -> None:
    """Write a PNG of accuracy by confidence, for lines and for characters; dotted before calibration."""
    figure = Figure(figsize=(8, 4), dpi=110, layout="constrained")
    for axis, kind in zip(figure.subplots(1, len(KINDS)), KINDS, strict=True):
        axis.plot([0, 1], [0, 1], color="#c4c8ce", linewidth=0.8)
        for number, decoding in enumerate(decodings):
            colour = COLOURS[number % len(COLOURS)]
            for seed_number, metrics in enumerate(decoding.by_seed.values()):
                found = metrics["calibration"][kind]
                label = None if seed_number else decoding.key  # one legend entry for all seeds
                _draw(axis, found["bins_before"], color=colour, linestyle="dotted", linewidth=0.9)
                _draw(axis, found["bins"], color=colour, linewidth=1.6, marker="o", markersize=3.5, label=label)
        axis.set_title(kind, loc="left", size=10)
        axis.set_xlabel("confidence", size=9)
        axis.set_ylabel("accuracy", size=9)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        if decodings:
            axis.legend(frameon=False, fontsize=8)
    save_figure(figure, path)


def _draw(axis: "matplotlib.axes.Axes", bins: Sequence[Mapping[str, float]], **style: Any) -> None:
    axis.plot([group["confidence"] for group in bins], [group["right"] for group in bins], **style)


def _format_difference(decoding: Decoding, name: str) -> str:
    change = decoding.rates["prediction"].minus(decoding.rates["greedy"], name)
    return f"{change.value * 100:+.2f} ({change.low * 100:+.1f} to {change.high * 100:+.1f})"
