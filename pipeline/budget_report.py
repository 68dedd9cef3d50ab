"""What an experiment is worth at several budgets of time, as a table, a page and a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from pipeline.decoding_report import Decoding, read_decoding
from pipeline.report.bootstrap import Estimate
from pipeline.report.charts import COLOURS
from pipeline.report.figures import save_figure
from pipeline.report.markdown import markdown_table, percent, with_interval
from pipeline.report.rates import resample_rates
from pipeline.report.results import Result
from pipeline.settings.base import read_section
from pipeline.settings.experiment import read_experiment
from pipeline.settings.lines import LinesSettings
from pipeline.variant_report import describe_changes, read_variants, render_page, write_report
from pipeline.variants import Changes

PAGE = """# What `{{ experiment }}` reaches in how many minutes

**Data: {{ data }}. Text: {{ text }}.**
Each row is a training of its own, from the first step to the end of its schedule, {{ seeds }}; nothing else ran beside
it. All read the same {{ tested }} test lines, which no training saw{{ settings }}.

![Character error rate by minutes of training](budgets.png)

{{ table }}

- **minutes**: of training, validation after each epoch included. **lines**: synthesized and learned from.
- **CER**: greedy reading; in brackets the 95 % interval of a bootstrap over the lines. **case folded**: where `C` read
  as `c` is no error.
- **with the language model**: beam search with character n-grams of the training text, weighed on validation lines.

Made by `python -m pipeline.budgets` on {{ machine }}.
"""


@dataclass(frozen=True)
class Curve:
    """A rate of the table, drawn by minutes."""

    column: str
    label: str
    colour: str
    above: int = 6
    """Points from a marker up to its number."""


CURVES = (
    Curve("test_cer", "greedy", COLOURS[0]),
    Curve("test_cer_folded", "greedy, case folded", COLOURS[9]),
    Curve("test_cer_beam", "with the language model", COLOURS[1], above=-14),
)


def write_budgets(experiment: str, budgets: Mapping[str, Changes], settings: Mapping[str, Any], output: Path) -> None:
    """Write budgets.csv, budgets.md and budgets.png of what was evaluated and decoded in the working folder.

    `budgets` has what each training has otherwise than the others, by its name; `settings` are what all have otherwise
    than the `experiment` of that name.
    """
    results = read_variants(budgets)
    decodings, seen = [read_decoding(key) for key in budgets], [lines_seen(result) for result in results]
    table = budget_table(results, decodings, budgets, seen)
    seeds = results[0].seeds
    page = render_page(
        PAGE,
        results,
        experiment=experiment,
        seeds=f"{len(seeds)} seeds each" if len(seeds) > 1 else f"with the seed {seeds[0]}",
        settings=f". All have\n`{describe_changes(settings)}` besides" if settings else "",
        table=markdown_table(shown(table)),
    )
    write_report(output, "budgets", page, table, draw_budgets)


def budget_table(
    results: Sequence[Result], decodings: Sequence[Decoding], budgets: Mapping[str, Changes], seen: Sequence[int]
) -> pd.DataFrame:
    """One row per result and its decoding, the shortest training first; rates as fractions, means over the seeds.

    `seen` is how many lines each learned from.
    """
    rates = resample_rates(results[0].texts, {result.key: list(result.by_seed.values()) for result in results})
    rows = []
    for result, decoding, lines in zip(results, decodings, seen, strict=True):
        cer, beam = rates[result.key]["cer"], decoding.rates["prediction"]["cer"]
        rows.append(
            {
                "experiment": result.key,
                "settings": describe_changes(budgets[result.key]),
                "lines": lines,
                "minutes": result.trained.mean / 60,
                "test_cer": cer.value,
                "test_cer_low": cer.low,
                "test_cer_high": cer.high,
                "test_cer_folded": rates[result.key]["cer_folded"].value,
                "test_cer_beam": beam.value,
                "test_cer_beam_low": beam.low,
                "test_cer_beam_high": beam.high,
            }
        )
    return pd.DataFrame(rows).sort_values("minutes", ignore_index=True)


def lines_seen(result: Result) -> int:
    """How many lines the training with the first seed learned from, each counted as often as it was."""
    _, training = read_experiment(result.key)
    if training.endless:
        per_epoch = training.endless.lines_per_epoch
    else:
        per_epoch = read_section(LinesSettings, "lines", result.experiment.lines).train
    return per_epoch * len(result.histories[result.seeds[0]])


def draw_budgets(path: Path, table: pd.DataFrame) -> None:
    """Write a PNG with the error rates by minutes, both logarithmic, as far as they are above 0."""
    figure = Figure(figsize=(8, 4.4), dpi=110, layout="constrained")
    axis = figure.subplots()
    for curve in CURVES:
        rates = 100 * table[curve.column].where(table[curve.column] > 0)
        axis.plot(table["minutes"], rates, "o-", color=curve.colour, label=curve.label, markersize=4)
        for minutes, rate in zip(table["minutes"], rates, strict=True):
            if rate > 0:
                text, above = f"{rate:.2f}", (0, curve.above)
                axis.annotate(text, (minutes, rate), above, textcoords="offset points", ha="center", color=curve.colour)
    for scale, axes in ((axis.set_xscale, axis.xaxis), (axis.set_yscale, axis.yaxis)):
        scale("log")
        axes.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_minor_locator(NullLocator())
    axis.set_xlabel("minutes of training")
    axis.set_ylabel("CER on test lines, percent")
    axis.grid(alpha=0.25)
    axis.margins(0.08)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    save_figure(figure, path)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table for the page, in percent."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"].map("`{}`".format),
            "settings": table["settings"].map(lambda text: f"`{text}`" if text else ""),
            "lines": table["lines"].map("{:,}".format),
            "minutes": table["minutes"].map("{:.1f}".format),
            "CER": _rates(table, "test_cer"),
            "case folded": table["test_cer_folded"].map(percent(2)),
            "with the language model": _rates(table, "test_cer_beam"),
        }
    )


def _rates(table: pd.DataFrame, column: str) -> list[str]:
    columns = [table[f"{column}{end}"] for end in ("", "_low", "_high")]
    return [with_interval(Estimate(*values)) for values in zip(*columns, strict=True)]
