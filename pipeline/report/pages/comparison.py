"""The table of all experiments, as data and as a page for the repository."""

import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import StrictUndefined, Template

from pipeline.common.files import write_text
from pipeline.metrics.error_rates import SEED_STATISTICS
from pipeline.report.analysis.bootstrap import Estimate
from pipeline.report.analysis.rates import Rates
from pipeline.report.analysis.results import Result
from pipeline.report.analysis.single_changes import SingleChange
from pipeline.report.pages.lecture import RESULTS
from pipeline.report.pages.markdown import markdown_table, percent, points, with_spread


def comparison_table(results: Sequence[Result], rates: Mapping[str, Rates], data: Mapping[str, str]) -> pd.DataFrame:
    """One row per experiment, in the order of `params.yaml`; rates are fractions.

    Rates, lines per second and the seconds of one training are means over seeds. `test_cer_std` is the sample standard
    deviation over them, NaN where there is one. `data` names what each data set of lines is made of.
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
    """The table as Markdown, with what it was measured on and with; `machine` is where it was evaluated."""
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
    template = (resources.files("pipeline.report") / "comparison.md.j2").read_text(encoding="utf-8")
    page: str = Template(template, undefined=StrictUndefined, keep_trailing_newline=True).render(
        table=markdown_table(shown),
        changes=markdown_table(changes_table(changes)) if changes else "",
        tested=" and ".join(f"{count:,}" for count in table["test_lines"].unique()),
        precision=" and ".join(table["precision"].unique()),
        several=bool((table["seeds"] > 1).any()),
        machine=machine,
        **sources,
    )
    return page


def changes_table(changes: Sequence[SingleChange]) -> pd.DataFrame:
    """What each single change adds to the CER, in percentage points, in words."""
    return pd.DataFrame(
        {
            "from": [f"`{one.before.key}`" for one in changes],
            "to": [f"`{one.after.key}`" for one in changes],
            "setting": [f"`{one.setting}`" for one in changes],
            "change": [" → ".join(one.values) for one in changes],
            "CER, in points": [points(one.difference) for one in changes],
        }
    )


def summary(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """For `dvc metrics`: few enough numbers for a terminal, rounded to what 2,000 lines can tell apart."""
    return {
        row["experiment"]: {"cer": round(row["test_cer"], 4), "accuracy": round(row["test_accuracy"], 4)}
        for _, row in table.iterrows()
    }


def write_table(table: pd.DataFrame, path: Path) -> None:
    """As CSV, fractions with six digits; whole or not at all."""
    write_text(path, table.to_csv(index=False, float_format="%.6f"))


def _with_spread(row: "pd.Series[Any]") -> str:
    rate = Estimate(row["test_cer"], row["test_cer_low"], row["test_cer_high"])
    return with_spread(rate, row["test_cer_std"], row["seeds"])
