"""The error rates that the demo is expected to reach, and whether a run of it does.

Training on another processor rounds differently and ends elsewhere, like training with another seed. So the expected
interval is wider than a bootstrap over the lines: it is a prediction interval for one more training, from the spread
over seeds.
"""

import json
import math
from pathlib import Path

import pandas as pd
from jinja2 import StrictUndefined, Template
from scipy import stats

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.report.pages.markdown import markdown_table

TABLE = Path("reports/studies/demo/expected.csv")
PAGE = TABLE.with_suffix(".md")
TAKEN = ("experiment", "lines", "loss", "data", "test_lines", "seeds", "test_cer", "test_cer_std")
"""Columns of a workspace's `comparison.csv` that are kept as they are."""
NORMAL = 1.96

TEXT = """# The demo's table

**{{ data }}.** The characters are drawn by code, the text is that of Python's help pages, and the models are small
and trained for four epochs: these figures say nothing about handwriting. They say what `make demo` should give, which
compares itself with them when it ends. Figures of real characters: [comparison.md](../../comparison.md).

{{ table }}

- **CER**: mean ± standard deviation of {{ seeds }} trainings with different seeds on the same {{ tested }} test lines.
- **one demo**: where the CER of one run of `make demo` is expected, 95 times of 100 for each experiment. A training on
  another processor, or with another release of torch, rounds otherwise and may end as far off as one with another
  seed; another release of Python has other help pages, and so other lines. The interval is the mean ±
  t · √(s² (1 + 1/n) + e²): s the standard deviation over the n = {{ seeds }} seeds, e the standard error of a bootstrap
  over the lines, t the quantile of Student's distribution with n − 1 degrees of freedom, which so few seeds make wide.
- Where it says next to nothing, as it reaches from 0 to 100 %, some seeds have left CTC's plateau of blanks within
  these four epochs and others have not.

Made by `make demo-report` on {{ machine }}.
"""


def expected(mean: float, deviation: float, lines_error: float, seeds: int) -> tuple[float, float]:
    """Where one more training's rate lies 95 times of 100; `lines_error` is the standard error over lines.

    Some models leave the plateau of blanks within the demo or do not: for them this is all that there is to know.
    """
    if seeds < 2:
        raise InputError("the spread needs at least 2 seeds")
    reach = stats.t.ppf(0.975, seeds - 1) * math.sqrt(deviation**2 * (1 + 1 / seeds) + lines_error**2)
    return max(0.0, mean - reach), min(1.0, mean + reach)


def demo_table(workspace: Path) -> pd.DataFrame:
    """What is kept of a workspace whose experiments have several seeds."""
    found = read_table(workspace / "reports/comparison.csv", "make demo-report")
    table = found[list(TAKEN)].copy()
    errors = (found["test_cer_high"] - found["test_cer_low"]) / (2 * NORMAL)
    columns = (found["test_cer"], found["test_cer_std"], errors, found["seeds"])
    table[["expected_low", "expected_high"]] = [expected(*row) for row in zip(*columns, strict=True)]
    timing = workspace / paths.timings(str(table["experiment"].iloc[0]), "train")
    table["machine"] = json.loads(timing.read_text(encoding="utf-8"))["machine"]
    return table


def read_table(path: Path, command: str) -> pd.DataFrame:
    """A CSV that `command` makes."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `{command}`") from None


def demo_page(table: pd.DataFrame) -> str:
    """The table as Markdown, with how it came about."""
    shown = pd.DataFrame(
        {
            "experiment": table["experiment"].map("`{}`".format),
            "loss": table["loss"],
            "lines": table["lines"],
            "CER": [
                f"{cer:.1%} ± {std:.1%}" for cer, std in zip(table["test_cer"], table["test_cer_std"], strict=True)
            ],
            "one demo": [_interval(row) for _, row in table.iterrows()],
        }
    )
    first = table.iloc[0]
    page: str = Template(TEXT, undefined=StrictUndefined, keep_trailing_newline=True).render(
        data=first["data"][:1].upper() + first["data"][1:],
        table=markdown_table(shown).replace("%", " %"),
        seeds=first["seeds"],
        tested=first["test_lines"],
        machine=first["machine"],
    )
    return page


def _interval(row: "pd.Series[float]") -> str:
    return f"{row['expected_low'] * 100:.1f}–{row['expected_high'] * 100:.1f}%"


def verdicts(run: pd.DataFrame, kept: pd.DataFrame) -> list[str]:
    """One line for each experiment of `run` that is kept, and one above and one below them all."""
    both = kept.merge(run[["experiment", "test_cer"]], on="experiment", suffixes=("", "_run"))
    within = both["test_cer_run"].between(both["expected_low"], both["expected_high"])
    width = max(map(len, both["experiment"]), default=0)
    lines = [
        f"  {row['experiment']:<{width}}  {row['test_cer_run']:6.1%}  {_interval(row):>12}  "
        + ("within" if inside else "OUTSIDE")
        for (_, row), inside in zip(both.iterrows(), within, strict=True)
    ]
    head = f"demo: CER on {kept['data'].iloc[0]}, and where one demo's is expected:"
    return [head, *lines, f"demo: the CER of {within.sum()} of {len(both)} experiments is within what {PAGE} expects"]
