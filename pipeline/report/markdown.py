"""Tables for pages of the repository."""

import pandas as pd


def markdown_table(table: pd.DataFrame) -> str:
    """The table as Markdown, without its index and without a line break at its end."""
    rows = [list(table.columns), ["---"] * table.shape[1], *table.astype(object).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)
