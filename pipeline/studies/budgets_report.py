"""What an experiment is worth at several budgets of time, as a table and a page."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.report.analysis.bootstrap import Estimate
from pipeline.report.analysis.rates import resample_rates
from pipeline.report.analysis.results import Result
from pipeline.report.pages.comparison import write_table
from pipeline.report.pages.decoding import Decoding, read_decoding
from pipeline.report.pages.markdown import markdown_table, percent, with_spread
from pipeline.settings.base import read_section
from pipeline.settings.experiment import read_experiment
from pipeline.settings.lines import LinesSettings
from pipeline.studies.budgets_chart import draw_budgets
from pipeline.studies.variants import Changes
from pipeline.studies.variants_report import describe_changes, rates_by_seed, read_variants, render_page, write_report

PAGE = """# What `{{ experiment }}` reaches in how many minutes

**Data: {{ data }}. Text: {{ text }}.**
Each row is a schedule of its own, from the first step to the end, trained once for each of its seeds; nothing else ran
beside it. All read the same {{ tested }} test lines, which no training saw.

![Character error rate by minutes of training](budgets.png)

{{ table }}

- **minutes**: of training, validation after each epoch included. **lines**: synthesized and learned from.
- **CER**: greedy reading; in brackets the 95 % interval of a bootstrap over the lines. **case folded**: where `C` read
  as `c` is no error.
- **with the language model**: beam search with character n-grams of the training text, weighed on validation lines.
- Of several seeds all are means, ± the standard deviation.

Each training by itself:

{{ trainings }}

What they have otherwise than the experiment:

{% for whose, changes in changed.items() -%}
- {{ whose }}: `{{ changes }}`
{% endfor %}
Made by `python -m pipeline budgets` on {{ machine }}.
"""


def write_budgets(experiment: str, budgets: Mapping[str, Changes], settings: Mapping[str, Any], output: Path) -> None:
    """Write budgets.csv, .md and .png and budgets_by_seed.csv of what the working folder has evaluated and decoded.

    `budgets` has what each training has otherwise than the others, by its name; `settings` are what all have otherwise
    than the `experiment` of that name.
    """
    results = read_variants(budgets)
    decodings, seen = [read_decoding(key) for key in budgets], [lines_seen(result) for result in results]
    table, by_seed = budget_table(results, decodings, budgets, seen), seeds_table(results, decodings)
    changed = {"all": settings, **{f"`{key}`": budgets[key] for key in table["experiment"]}}
    page = render_page(
        PAGE,
        results,
        experiment=experiment,
        trainings=markdown_table(shown_seeds(by_seed)),
        changed={whose: describe_changes(changes) for whose, changes in changed.items() if changes},
        table=markdown_table(shown(table)),
    )
    write_report(output, "budgets", page, table, draw_budgets)
    write_table(by_seed, output / "budgets_by_seed.csv")


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
    """One row per training, the shortest schedule first; rates as fractions."""
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


def lines_seen(result: Result) -> int:
    """How many lines the training with the first seed learned from, each counted as often as it was."""
    _, training = read_experiment(result.key)
    if training.endless:
        per_epoch = training.endless.lines_per_epoch
    else:
        per_epoch = read_section(LinesSettings, "lines", result.experiment.lines).train
    return per_epoch * len(result.histories[result.seeds[0]])


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table for the page, in percent."""
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


def shown_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The table of single trainings for the page, in percent."""
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
