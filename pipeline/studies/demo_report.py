"""The error rates that the demo is expected to reach, and whether a run reaches them.

Training on another processor rounds differently and ends elsewhere, like training with another seed. So the expected
interval is wider than a bootstrap over lines and images: it is a prediction interval for one more training, from the
spread over seeds.
"""

import json
import math
from pathlib import Path

import pandas as pd
from scipy import stats

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.report.pages.markdown import markdown_table, render_markdown

TABLE = Path("reports/studies/demo/expected.csv")
PAGE = TABLE.with_suffix(".md")
KEPT_COLUMNS = ["experiment", "lines", "loss", "data", "test_lines", "seeds", "test_cer", "test_cer_std"]
"""Copied from the `comparison.csv` of a workspace."""
NORMAL = 1.96


def prediction_interval(mean: float, deviation: float, lines_error: float, seeds: int) -> tuple[float, float]:
    """The 95 % interval for the CER of one more training; `lines_error` is the standard error over lines and images."""
    if seeds < 2:
        raise InputError("the spread needs at least 2 seeds")
    quantile = stats.t.ppf(0.975, seeds - 1)
    half = quantile * math.sqrt(deviation**2 * (1 + 1 / seeds) + lines_error**2)
    return max(0.0, mean - half), min(1.0, mean + half)


def expected_table(workspace: Path) -> pd.DataFrame:
    """Compute the expected error rates from a workspace whose experiments have several seeds."""
    comparison = read_table(workspace / "reports/comparison.csv", "make demo-report")
    table = comparison[KEPT_COLUMNS].copy()
    errors = (comparison["test_cer_high"] - comparison["test_cer_low"]) / (2 * NORMAL)
    columns = (comparison["test_cer"], comparison["test_cer_std"], errors, comparison["seeds"])
    table[["expected_low", "expected_high"]] = [prediction_interval(*row) for row in zip(*columns, strict=True)]
    timing = workspace / paths.timings(str(table["experiment"].iloc[0]), "train")
    table["machine"] = json.loads(timing.read_text(encoding="utf-8"))["machine"]
    return table


def read_table(path: Path, command: str) -> pd.DataFrame:
    """Read a CSV that `command` makes."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `{command}`") from None


def expected_page(table: pd.DataFrame) -> str:
    """The expected error rates as Markdown."""
    rates = zip(table["test_cer"], table["test_cer_std"], strict=True)
    shown = pd.DataFrame(
        {
            "experiment": table["experiment"].map("`{}`".format),
            "loss": table["loss"],
            "lines": table["lines"],
            "CER": [f"{cer:.1%} ± {deviation:.1%}" for cer, deviation in rates],
            "one demo": [_interval(row) for _, row in table.iterrows()],
        }
    )
    first = table.iloc[0]
    return render_markdown(
        "studies/templates/demo.md.j2",
        data=first["data"][:1].upper() + first["data"][1:],
        table=markdown_table(shown).replace("%", " %"),
        seeds=first["seeds"],
        tested=first["test_lines"],
        machine=first["machine"],
    )


def _interval(row: "pd.Series[float]") -> str:
    return f"{row['expected_low'] * 100:.1f}–{row['expected_high'] * 100:.1f}%"


def verdicts(run: pd.DataFrame, expected: pd.DataFrame) -> list[str]:
    """A headline, a line for each experiment of both tables, and the number of experiments within the interval."""
    both = expected.merge(run[["experiment", "test_cer"]], on="experiment", suffixes=("", "_run"))
    if both.empty:
        return [f"demo: {TABLE} has none of these experiments, so nothing says which CER to expect"]
    within = both["test_cer_run"].between(both["expected_low"], both["expected_high"])
    width = max(map(len, both["experiment"]), default=0)
    lines = [
        f"  {row['experiment']:<{width}}  {row['test_cer_run']:6.1%}  {_interval(row):>12}  "
        + ("within" if inside else "OUTSIDE")
        for (_, row), inside in zip(both.iterrows(), within, strict=True)
    ]
    head = f"demo: CER on {expected['data'].iloc[0]}, and the expected interval:"
    return [head, *lines, f"demo: the CER of {within.sum()} of {len(both)} experiments is within what {PAGE} expects"]
