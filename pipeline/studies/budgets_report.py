"""The report on budgets of training time: tables, a page and a picture."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.report.analysis.bootstrap import Estimate
from pipeline.report.analysis.rates import Rates
from pipeline.report.analysis.results import Result
from pipeline.report.pages.comparison import write_table
from pipeline.report.pages.decoding import Decoding, read_decodings
from pipeline.report.pages.markdown import markdown_table, percent, with_spread
from pipeline.settings.base import read_section
from pipeline.settings.experiment import read_experiment
from pipeline.settings.lines import LinesSettings
from pipeline.studies.budgets_chart import draw_budgets
from pipeline.studies.variants import Changes
from pipeline.studies.variants_report import (
    describe_changes,
    measure_variants,
    rates_by_seed,
    read_variants,
    render_page,
    write_report,
)


def write_budgets(experiment: str, budgets: Mapping[str, Changes], settings: Mapping[str, Any], output: Path) -> None:
    """Write budgets.csv, .md and .png and budgets_by_seed.csv from the results in the current folder.

    `budgets` are the changed settings by name of the variant. `settings` are those in which all variants differ from
    `experiment`.
    """
    results = read_variants(budgets)
    decodings, line_counts = read_decodings(list(budgets)), [count_lines(result) for result in results]
    table = budget_table(results, measure_variants(results), decodings, budgets, line_counts)
    by_seed = seeds_table(results, decodings)
    changed = {"all": settings, **{f"`{key}`": budgets[key] for key in table["experiment"]}}
    page = render_page(
        "budgets",
        results,
        experiment=experiment,
        trainings=markdown_table(format_seeds(by_seed)),
        changed={name: describe_changes(changes) for name, changes in changed.items() if changes},
        table=markdown_table(format_table(table)),
    )
    write_report(output, "budgets", page, table, draw_budgets)
    write_table(by_seed, output / "budgets_by_seed.csv")


def budget_table(
    results: Sequence[Result],
    rates: Mapping[str, Rates],
    decodings: Sequence[Decoding],
    budgets: Mapping[str, Changes],
    line_counts: Sequence[int],
) -> pd.DataFrame:
    """One row per result and its decoding, the shortest training first; rates are fractions, means over the seeds."""
    rows = []
    for result, decoding, lines in zip(results, decodings, line_counts, strict=True):
        cer, beam = rates[result.key]["cer"], decoding.rates["prediction"]["cer"]
        rows.append(
            {
                "experiment": result.key,
                "settings": describe_changes(budgets[result.key]),
                "seeds": len(result.seeds),
                "lines": lines,
                "minutes": result.trained.mean / 60,
                "test_cer": cer.value,
                "test_cer_std": result.metrics.get("test_cer_std", math.nan),
                "test_cer_low": cer.low,
                "test_cer_high": cer.high,
                "test_cer_folded": rates[result.key]["cer_folded"].value,
                "test_cer_beam": beam.value,
                "test_cer_beam_std": decoding.metrics.get("test_cer_std", math.nan),
                "test_cer_beam_low": beam.low,
                "test_cer_beam_high": beam.high,
            }
        )
    return pd.DataFrame(rows).sort_values("minutes", ignore_index=True)


def seeds_table(results: Sequence[Result], decodings: Sequence[Decoding]) -> pd.DataFrame:
    """One row per training, the shortest schedule first; rates are fractions."""
    both = sorted(zip(results, decodings, strict=True), key=lambda pair: pair[0].trained.mean)
    return pd.DataFrame(
        [
            {
                "experiment": result.key,
                "seed": seed,
                "minutes": result.trained.by_seed[str(seed)] / 60,
                "test_cer": rates["cer"],
                "test_cer_folded": rates["cer_folded"],
                "test_cer_beam": decoding.by_seed[seed]["test_cer"],
            }
            for result, decoding in both
            for seed, rates in rates_by_seed(result).items()
        ]
    )


def count_lines(result: Result) -> int:
    """Count the lines of the first seed's training, over all its epochs."""
    _, training = read_experiment(result.key)
    if training.endless:
        per_epoch = training.endless.lines_per_epoch
    else:
        per_epoch = read_section(LinesSettings, "lines", result.experiment.lines).train
    return per_epoch * len(result.histories[result.seeds[0]])


def format_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table of the page, in percent."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"].map("`{}`".format),
            "lines": table["lines"].map("{:,}".format),
            "minutes": table["minutes"].map("{:.1f}".format),
            "CER": _rates(table, "test_cer"),
            "case folded": table["test_cer_folded"].map(percent(2)),
            "with the language model": _rates(table, "test_cer_beam"),
        }
    )


def format_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The page's table of single trainings, in percent."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"].map("`{}`".format),
            "seed": table["seed"],
            "minutes": table["minutes"].map("{:.1f}".format),
            "CER": table["test_cer"].map(percent(2)),
            "case folded": table["test_cer_folded"].map(percent(2)),
            "with the language model": table["test_cer_beam"].map(percent(2)),
        }
    )


def _rates(table: pd.DataFrame, column: str) -> list[str]:
    columns = [table[f"{column}{end}"] for end in ("", "_low", "_high")]
    rates = [Estimate(*values) for values in zip(*columns, strict=True)]
    spreads = zip(rates, table[f"{column}_std"], table["seeds"], strict=True)
    return [with_spread(*spread) for spread in spreads]
