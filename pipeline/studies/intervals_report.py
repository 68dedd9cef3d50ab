"""The page on how often confidence intervals hold."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from scipy import stats

from pipeline.report.analysis.bootstrap import LEVEL
from pipeline.report.pages.markdown import markdown_table, percent, render_markdown
from pipeline.runtime.machine import describe_machine
from pipeline.studies.intervals import METHODS, FreshTestSets

NAMES = {"cer": "CER", "cer_folded": "CER, case folded", "wer": "WER", "exact": "exact lines"}
NORMAL = stats.norm.ppf((1 + LEVEL) / 2)


def intervals_page(
    table: pd.DataFrame,
    source: FreshTestSets,
    attributes: Mapping[str, Any],
    models: Mapping[str, str],
    command: str,
) -> str:
    """The page of a table of `count_coverage`; `models` says how each was trained, `attributes` are of their lines."""
    return render_markdown(
        "studies/templates/intervals.md.j2",
        table=markdown_table(format_table(table)),
        sets=int(table["sets"].iloc[0]),
        lines=f"{source.lines:,}",
        images=f"{source.lines / source.settings.test:.0%}".replace("%", " %"),
        name=attributes["name"],
        data=attributes["data"],
        text=attributes["corpus"],
        models=models,
        command=command,
        machine=describe_machine(),
    )


def format_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each rate and model or pair, in percent; the standard errors are the intervals' mean widths."""
    rows = []
    for (of, rate), group in table.groupby(["of", "rate"], sort=False):
        methods = group.set_index("method")
        first = methods.iloc[0]
        row = {"of": f"`{of}`", "rate": NAMES[str(rate)], "mean": percent(2)(first["truth"])}
        row["deviation"] = percent(2)(first["deviation"])
        for method in METHODS:
            one = methods.loc[method]
            row[method] = f"{one['holds'] / one['sets']:.1%} (± {one['width'] / 2 / NORMAL:.2%})".replace("%", " %")
        rows.append(row)
    return pd.DataFrame(rows)
