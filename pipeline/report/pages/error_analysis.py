"""What kinds of errors there are, in all experiments and in the best one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.data.storage.lines import Lines
from pipeline.metrics.error_rates import edit_distances
from pipeline.report.analysis.alignment import EditCounts, count_edits
from pipeline.report.analysis.breakdowns import (
    Bin,
    CharacterErrors,
    cer_by_length,
    errors_by_character,
    misread_by_overlap,
)
from pipeline.report.analysis.results import Result
from pipeline.report.figures.charts import Series, Style, draw_chart
from pipeline.report.figures.gallery import Confusion, frequent_confusions
from pipeline.report.figures.images import Picture

SHOWN_CHARACTERS = 15


@dataclass(frozen=True)
class Breakdown:
    """A chart and its numbers by experiment."""

    chart: Picture
    bins: dict[str, list[Bin]]
    labels: list[str]
    """The labels of all bins, in order."""


@dataclass(frozen=True)
class Errors:
    """The content of the section on errors."""

    counts: dict[str, EditCounts]
    lengths: Breakdown
    overlaps: Breakdown | None
    """None without synthetic lines."""
    characters: list[CharacterErrors]
    """Of the best experiment, like the confusions."""
    confusions: list[Confusion]


def find_errors(
    results: Sequence[Result], best: Result, data: Mapping[str, Lines], styles: Mapping[str, Style]
) -> Errors:
    """Break down the errors of all experiments, and those of the best one in more detail."""
    lengths = {
        result.key: cer_by_length(result.texts, edit_distances(result.predictions, result.texts)) for result in results
    }
    overlaps = {
        result.key: misread_by_overlap(data[result.experiment.lines], result.alignments)
        for result in results
        if data[result.experiment.lines].are_synthetic
    }
    return Errors(
        {result.key: count_edits(result.alignments) for result in results},
        _breakdown("CER by length of the line", "characters in the line", lengths, styles),
        _breakdown("Characters misread, by overlap", "pixels that a neighbour overlaps, of 28", overlaps, styles)
        if overlaps
        else None,
        [found for found in errors_by_character(best.alignments) if found.misread][:SHOWN_CHARACTERS],
        frequent_confusions(best, data[best.experiment.lines]),
    )


def _breakdown(title: str, x_label: str, bins: dict[str, list[Bin]], styles: Mapping[str, Style]) -> Breakdown:
    series = []
    for key, found in bins.items():
        filled = [(group.position, group.rate) for group in found if group.rate is not None]
        series.append(Series([x for x, _ in filled], [rate for _, rate in filled], styles[key], marked=True))
    chart = draw_chart(title, series, x_label=x_label, alt=f"{title}, for every experiment; the table has the numbers")
    positions = {group.label: group.position for found in bins.values() for group in found}
    return Breakdown(chart, bins, sorted(positions, key=lambda label: positions[label]))
