"""The table of all experiments, as CSV and as a Markdown page."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.common.files import write_text
from pipeline.metrics.error_rates import SEED_STATISTICS
from pipeline.metrics.groups import MEDIAN
from pipeline.report.analysis.bootstrap import Estimate
from pipeline.report.analysis.rates import Rates
from pipeline.report.analysis.results import Result
from pipeline.report.analysis.single_changes import SingleChange
from pipeline.report.pages.lecture import RESULTS
from pipeline.report.pages.markdown import markdown_table, percent, points, render_markdown, with_spread

MEDIAN_METRIC = f"test_{MEDIAN}"


def comparison_table(results: Sequence[Result], rates: Mapping[str, Rates], data: Mapping[str, str]) -> pd.DataFrame:
    """One row per experiment, in the order of `params.yaml`; rates are fractions.

    Rates, lines per second and the seconds of one training are means over seeds. `test_cer_std` is the sample standard
    deviation over seeds, NaN for a single seed. `data` describes the characters of each data set of lines.
    """
    rows = []
    for result in results:
        metrics, cer = result.metrics, rates[result.key]["cer"]
        rows.append(
            {
                "experiment": result.key,
                "model": result.experiment.model.name,
                "loss": result.experiment.loss,
                "lines": result.experiment.lines,
                "data": data[result.experiment.lines],
                "parameters": metrics["parameters"],
                **{name: metrics[name] for name in metrics if name.startswith("test_") and name not in SEED_STATISTICS},
                "test_cer_low": cer.low,
                "test_cer_high": cer.high,
                "test_cer_folded": rates[result.key]["cer_folded"].value,
                "lines_per_second": result.evaluated.mean,
                "test_lines": metrics["lines"],
                "precision": result.evaluated.precision,
                "lecture": RESULTS.get(result.key, ""),
                "training_seconds": result.trained.mean,
                "seeds": len(result.seeds),
                "test_cer_std": metrics.get("test_cer_std", math.nan),
            }
        )
    return pd.DataFrame(rows)


def comparison_page(
    table: pd.DataFrame, sources: Mapping[str, Any], machine: str, changes: Sequence[SingleChange] = ()
) -> str:
    """The Markdown page with the table; `machine` is the one that evaluated."""
    shown = pd.DataFrame(
        {
            "experiment": table["experiment"].map("`{}`".format),
            "model": table["model"],
            "loss": table["loss"],
            "lines": table["lines"],
            "parameters": table["parameters"].map("{:,}".format),
            "CER": [_with_spread(row) for _, row in table.iterrows()],
            "CER (lab)": table["test_cer_lab"].map(percent(2)),
            "WER": table["test_wer"].map(percent(1)),
            "exact lines": table["test_exact"].map(percent(1)),
            "accuracy (lab)": table["test_accuracy"].map(percent(1)),
            "accuracy (text)": table["test_accuracy_text"].map(percent(1)),
            "lecture": table["lecture"],
        }
    )
    return render_markdown(
        "report/templates/comparison.md.j2",
        table=markdown_table(shown),
        changes=markdown_table(changes_table(changes)) if changes else "",
        folded=markdown_table(folded_table(table)) if MEDIAN_METRIC in table else "",
        tested=" and ".join(f"{count:,}" for count in table["test_lines"].unique()),
        precision=" and ".join(table["precision"].unique()),
        several=bool((table["seeds"] > 1).any()),
        machine=machine,
        **sources,
    )


def folded_table(table: pd.DataFrame) -> pd.DataFrame:
    """The CERs of experiments on transcribed lines without case, accents and punctuation."""
    own = table[table[MEDIAN_METRIC].notna()]
    names = {"CER": "cer", "without case": "cer_folded", "without accents": "cer_no_accents"}
    names |= {"without punctuation": "cer_no_punctuation", "without all three": "cer_plain", "median group": MEDIAN}
    return pd.DataFrame(
        {
            "experiment": own["experiment"].map("`{}`".format),
            "lines": own["lines"],
            **{title: own[f"test_{name}"].map(percent(2)) for title, name in names.items()},
        }
    )


def changes_table(changes: Sequence[SingleChange]) -> pd.DataFrame:
    """What each change of a single setting adds to the CER, in percentage points."""
    return pd.DataFrame(
        {
            "from": [f"`{change.before.key}`" for change in changes],
            "to": [f"`{change.after.key}`" for change in changes],
            "setting": [f"`{change.setting}`" for change in changes],
            "change": [" → ".join(change.values) for change in changes],
            "CER, in points": [points(change.difference) for change in changes],
        }
    )


def summary(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """A few numbers for `dvc metrics`, rounded to a precision that suits 2,000 lines."""
    names = ("cer", "accuracy", "cer_plain", MEDIAN)
    return {
        row["experiment"]: {name: round(row[f"test_{name}"], 4) for name in names if pd.notna(row.get(f"test_{name}"))}
        for _, row in table.iterrows()
    }


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV atomically, with six digits after the decimal point."""
    write_text(path, table.to_csv(index=False, float_format="%.6f"))


def _with_spread(row: "pd.Series[Any]") -> str:
    rate = Estimate(row["test_cer"], row["test_cer_low"], row["test_cer_high"])
    return with_spread(rate, row["test_cer_std"], row["seeds"])
