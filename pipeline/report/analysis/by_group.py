"""Error rates of transcribed lines by writer, document or page: which ones are hard to read?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.data.storage.lines import Lines
from pipeline.metrics.error_rates import edit_distances
from pipeline.metrics.groups import group_members, median_group_cer
from pipeline.report.analysis.bootstrap import Cells, Estimate, Floats, estimate
from pipeline.report.analysis.rates import SEED
from pipeline.report.analysis.results import Result

MIN_LINES = 10
"""Lines that a group needs for an interval: of fewer, resamples are too much alike."""
COLUMNS = ("experiment", "lines", "kind", "name", "count", "characters", "edits", "cer", "cer_low", "cer_high")


@dataclass(frozen=True)
class Group:
    """The lines of one writer, document or page."""

    name: str
    lines: int
    characters: int
    edits: dict[str, float]
    """By experiment; means over its seeds."""
    rates: dict[str, Estimate]
    """The CER by experiment. Its interval resamples the lines of the group; it is the CER alone for few lines."""


@dataclass(frozen=True)
class Grouping:
    """All groups of one kind in one data set, the hardest first."""

    lines: str
    kind: str
    """`group` or `page`."""
    keys: list[str]
    """The experiments on these lines."""
    groups: list[Group]
    medians: dict[str, float]
    """The median of the groups' CERs by experiment."""


def find_groupings(results: Sequence[Result], data: Mapping[str, Lines]) -> list[Grouping]:
    """The groups of each data set of transcribed lines, and its pages where groups are something else.

    Where all lines are one group, or each line is alone in its group, there is nothing to show.
    """
    groupings = []
    for name, lines in data.items():
        here = [result for result in results if result.experiment.lines == name]
        kinds = {"page": lines.pages}
        if lines.groups != lines.pages:
            kinds = {"group": lines.groups, **kinds}
        for kind, names in kinds.items():
            if 1 < len(set(names)) < len(names):
                groupings.append(_make_grouping(name, kind, names, lines.texts, here))
    return groupings


def _make_grouping(
    name: str, kind: str, names: Sequence[str], texts: Sequence[str], results: Sequence[Result]
) -> Grouping:
    edits = {
        result.key: np.mean([edit_distances(one, texts) for one in result.by_seed.values()], axis=0)
        for result in results
    }
    groups = [_make_group(group, rows, texts, edits) for group, rows in group_members(names).items()]
    medians = {key: median_group_cer(values.tolist(), texts, names) for key, values in edits.items()}
    groups.sort(key=lambda group: (-sum(rate.value for rate in group.rates.values()), group.name))
    return Grouping(name, kind, list(edits), groups, medians)


def _make_group(name: str, rows: Sequence[int], texts: Sequence[str], edits: Mapping[str, Floats]) -> Group:
    own = [texts[row] for row in rows]
    in_group = {key: values[list(rows)] for key, values in edits.items()}
    sums = {key: float(values.sum()) for key, values in in_group.items()}
    return Group(name, len(rows), sum(map(len, own)), sums, estimate_cers(own, in_group))


def estimate_cers(texts: Sequence[str], edits: Mapping[str, Floats]) -> dict[str, Estimate]:
    """The CER of each experiment, from its edits in each of some lines (N,), and its interval if there are enough."""
    characters = np.array([len(text) for text in texts], dtype=np.float64)
    values = {key: float(own.sum() / characters.sum()) for key, own in edits.items()}
    if len(texts) < MIN_LINES:
        return {key: Estimate(value, value, value) for key, value in values.items()}
    cells = Cells(texts)
    of_lines = np.stack([characters, *edits.values()])
    no_cells = np.zeros((0, len(cells.lines)))
    _, (wholes, *parts) = cells.resample(no_cells, of_lines, np.random.default_rng(SEED))
    return {key: estimate(values[key], part / wholes) for key, part in zip(edits, parts, strict=True)}


def groups_table(groupings: Sequence[Grouping]) -> pd.DataFrame:
    """One row per group and experiment; rates are fractions, and too few lines have no interval."""
    return pd.DataFrame(list(_rows(groupings)), columns=list(COLUMNS))


def _rows(groupings: Sequence[Grouping]) -> Iterator[tuple[object, ...]]:
    for grouping in groupings:
        for key in grouping.keys:
            for group in grouping.groups:
                rate, known = group.rates[key], group.lines >= MIN_LINES
                interval = (rate.low, rate.high) if known else (np.nan, np.nan)
                yield (
                    *(key, grouping.lines, grouping.kind, group.name, group.lines, group.characters),
                    *(group.edits[key], rate.value, *interval),
                )
