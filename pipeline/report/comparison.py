"""The table of all experiments, as data and as a page for the repository."""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import StrictUndefined, Template

from pipeline import paths
from pipeline.errors import InputError
from pipeline.report.lecture import RESULTS
from pipeline.settings.experiment import ExperimentSettings


def read_metrics(key: str) -> dict[str, Any]:
    """What evaluation measured of one experiment."""
    path = paths.metrics(key)
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `dvc repro evaluate@{key}`") from None
    return metrics


def comparison_table(experiments: Mapping[str, ExperimentSettings], data: Mapping[str, str]) -> pd.DataFrame:
    """One row per experiment, in the order of `params.yaml`; rates are fractions.

    `data` names what each data set of lines is made of.
    """
    rows = []
    for key, experiment in experiments.items():
        metrics = read_metrics(key)
        rows.append(
            {
                "experiment": key,
                "model": experiment.model.name,
                "loss": experiment.loss,
                "lines": experiment.lines,
                "data": data[experiment.lines],
                "parameters": metrics["parameters"],
                **{name: metrics[name] for name in metrics if name.startswith("test_")},
                "lines_per_second": metrics["lines_per_second"],
                "test_lines": metrics["lines"],
                "precision": metrics["precision"],
                "lecture": RESULTS.get(key, ""),
            }
        )
    return pd.DataFrame(rows)


def comparison_page(table: pd.DataFrame, sources: Mapping[str, Any], machine: str) -> str:
    """The table as Markdown, with what it was measured on and with."""
    shown = pd.DataFrame(
        {
            "experiment": table["experiment"].map("`{}`".format),
            "model": table["model"],
            "loss": table["loss"],
            "lines": table["lines"],
            "parameters": table["parameters"].map("{:,}".format),
            "CER": table["test_cer"].map("{:.2%}".format),
            "CER (lab)": table["test_cer_lab"].map("{:.2%}".format),
            "WER": table["test_wer"].map("{:.1%}".format),
            "exact lines": table["test_exact"].map("{:.1%}".format),
            "accuracy (lab)": table["test_accuracy"].map("{:.1%}".format),
            "accuracy (text)": table["test_accuracy_text"].map("{:.1%}".format),
            "lecture": table["lecture"],
        }
    )
    template = (resources.files("pipeline.report") / "comparison.md.j2").read_text(encoding="utf-8")
    page: str = Template(template, undefined=StrictUndefined, keep_trailing_newline=True).render(
        table=_markdown(shown),
        tested=" and ".join(f"{count:,}" for count in table["test_lines"].unique()),
        precision=" and ".join(table["precision"].unique()),
        machine=machine,
        **sources,
    )
    return page


def summary(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """For `dvc metrics`: few enough numbers for a terminal, rounded to what 2,000 lines can tell apart."""
    return {
        row["experiment"]: {"cer": round(row["test_cer"], 4), "accuracy": round(row["test_accuracy"], 4)}
        for _, row in table.iterrows()
    }


def write_table(table: pd.DataFrame, path: Path) -> None:
    """As CSV, fractions with six digits."""
    table.to_csv(path, index=False, float_format="%.6f", lineterminator="\n")


def _markdown(table: pd.DataFrame) -> str:
    header = [list(table.columns), ["---"] * table.shape[1]]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [*header, *table.values.tolist()])
