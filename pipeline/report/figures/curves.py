"""Learning curves: what was measured after each epoch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, product

import pandas as pd

from pipeline.report.analysis.results import Result
from pipeline.report.figures.charts import Series, Style, draw_chart
from pipeline.report.figures.images import Picture
from pipeline.settings.experiment import TrainingSettings, merge_training

LOSSES = {"ce": "Cross-entropy", "ctc": "CTC loss"}


@dataclass(frozen=True)
class Training:
    """One training in numbers; values that the history does not have are None."""

    key: str
    seed: int
    seconds: float | None
    epochs: int
    kept_epoch: int | None
    """Counted from 1: the epoch with the lowest validation loss, whose weights were kept."""
    kept_cer: float | None
    """CER on validation lines after this epoch."""
    train_loss: float | None
    """After the last epoch, like the values below."""
    val_loss: float | None
    blank_share: float | None


def draw_curves(results: Sequence[Result], styles: Mapping[str, Style]) -> list[Picture]:
    """Charts of validation CER by epoch and by time, of the fraction of blanks, and of each kind of loss."""
    charts = [
        _chart("CER on validation lines", results, styles, ["val_cer"]),
        _draw_by_time("CER on validation lines by minutes of training", results, styles),
    ]
    ctc = [result for result in results if result.experiment.loss == "ctc"]
    if ctc:
        charts.append(_chart("Fraction of CTC steps that are blank", ctc, styles, ["val_blank_share"], log=False))
    for loss, name in LOSSES.items():
        if same_loss := [result for result in results if result.experiment.loss == loss]:
            title = f"{name}: validation, and training dotted"
            charts.append(_chart(title, same_loss, styles, ["val_loss", "train_loss"], percent=False))
    return charts


def summarize(result: Result) -> list[Training]:
    """The kept epoch and the last one, for each seed."""
    return [_summary(result, seed, history) for seed, history in result.histories.items()]


def ran_on(result: Result, shared: TrainingSettings) -> str:
    """The machine that trained, with the number of devices if more than one; `shared` is the section `training`."""
    trainer = merge_training(result.experiment, shared.model_dump())["trainer"]
    numbers = {"nodes": trainer["num_nodes"], "devices": trainer["devices"]}
    parts = [f"{number} {name}" for name, number in numbers.items() if number != 1]
    return f"{', '.join(parts)}, each: {result.trained.machine}" if parts else result.trained.machine


def _summary(result: Result, seed: int, history: pd.DataFrame) -> Training:
    kept, _ = min(_logged(history, "val_loss"), key=lambda point: point[1], default=(None, None))
    last = [_logged(history, name)[-1:] for name in ("train_loss", "val_loss", "val_blank_share")]
    return Training(
        result.key,
        seed,
        result.trained.by_seed.get(str(seed)),
        len(history),
        kept,
        dict(_logged(history, "val_cer")).get(kept) if kept else None,
        *(points[0][1] if points else None for points in last),
    )


def _logged(history: pd.DataFrame, name: str) -> list[tuple[int, float]]:
    """Epochs counted from 1 and the values logged after them; empty if nothing was logged."""
    if name not in history:
        return []
    epochs = zip(history["epoch"], history[name], strict=True)
    return [(int(epoch) + 1, float(value)) for epoch, value in epochs if not math.isnan(value)]


def _draw_by_time(title: str, results: Sequence[Result], styles: Mapping[str, Style]) -> Picture:
    """The lowest CER reached within a time; all epochs of a training count as equally long."""
    series = []
    for result in results:
        for seed, history in result.histories.items():
            points = _logged(history, "val_cer")
            minutes = result.trained.by_seed.get(str(seed), math.nan) / 60 / len(history)
            x = [epoch * minutes for epoch, _ in points if minutes > 0]
            y = list(accumulate((cer for _, cer in points if minutes > 0), min))
            series.append(Series(x, y, styles[result.key], thin=len(result.seeds) > 1))
    alt = f"{title}, the lowest so far, for {', '.join(result.key for result in results)}; the times are in the table"
    return draw_chart(title, series, x_label="minutes", alt=alt, log_x=True)


def _chart(
    title: str, results: Sequence[Result], styles: Mapping[str, Style], names: Sequence[str], **axes: bool
) -> Picture:
    series = []
    for result in results:
        for history, (number, name) in product(result.histories.values(), enumerate(names)):
            points, thin = _logged(history, name), len(result.seeds) > 1
            x, y = [x for x, _ in points], [y for _, y in points]
            series.append(Series(x, y, styles[result.key], faint=number > 0, thin=thin))
    alt = f"{title}, by epoch, for {', '.join(result.key for result in results)}; the last values are in the table"
    return draw_chart(title, series, x_label="epoch", alt=alt, **axes)
