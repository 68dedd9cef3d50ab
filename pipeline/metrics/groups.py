"""Error rates of transcribed lines: by page or writer, and without case, accents and punctuation."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from pipeline.metrics.error_rates import edit_distances
from pipeline.metrics.folding import FOLDED_RATES, folded_sums

MEDIAN = "cer_median_group"


def transcribed_rates(predictions: Sequence[str], targets: Sequence[str], groups: Sequence[str]) -> dict[str, float]:
    """The CERs of `FOLDED_RATES` and the median of the groups' CERs, as fractions.

    `groups` (N,) names the page or writer of each line. Half of the groups are read better than the median, whatever
    happens on the worst ones.
    """
    sums = {name: float(values.sum()) for name, values in folded_sums(predictions, targets).items()}
    rates = {name: sums[edits] / max(1.0, sums[characters]) for name, (edits, characters) in FOLDED_RATES.items()}
    return {**rates, MEDIAN: median_group_cer(edit_distances(predictions, targets).tolist(), targets, groups)}


def median_group_cer(edits: Sequence[float], targets: Sequence[str], groups: Sequence[str]) -> float:
    """The median of the CERs of all groups; a group has the edits of its lines, divided by their characters."""
    members = group_members(groups).values()
    return median(sum(edits[i] for i in rows) / max(1, sum(len(targets[i]) for i in rows)) for rows in members)


def group_members(groups: Sequence[str]) -> dict[str, list[int]]:
    """The numbers of the lines of each group, in the order of first appearance."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        members[group].append(number)
    return dict(members)
