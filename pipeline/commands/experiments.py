"""List DVC's experiments with the settings in which they differ, and their CER.

    python -m pipeline experiments

It has a column for each experiment since the last commit, queued ones too. `dvc exp show` has all settings and metrics.
"""

from pipeline.common.errors import InputError
from pipeline.settings.base import read_params

WIDTH = 120
"""Characters. The columns that do not fit follow below."""


def main() -> None:
    """Print the table."""
    import pandas as pd
    from dvc.api import exp_show
    from dvc.exceptions import DvcException

    try:
        rows = exp_show()
    except DvcException as error:
        raise InputError(f"DVC cannot list experiments: {error}") from None
    table = pd.DataFrame(rows, [row["Experiment"] or row["rev"] for row in rows], dtype=object).fillna("-")
    names = list(map(str, table))
    settings = [name for section in read_params() for name in names if name.startswith(f"{section}.")]
    rates = [name for name in names if name.endswith(".cer")]
    changed = [name for name in ("State", *settings, *rates) if table[name].nunique() > 1]
    if not changed:
        raise InputError("there are no experiments since the last commit; run one with: dvc exp run -S KEY=VALUE")
    print(table[changed].map(_text).T.to_string(line_width=WIDTH))


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)  # DVC gives whole numbers as floats too
