from dataclasses import replace

import pytest

from pipeline.report.analysis.results import Result
from pipeline.report.figures.charts import Series, draw_chart, make_style
from pipeline.report.figures.curves import draw_curves, ran_on, summarize
from pipeline.report.figures.images import Picture
from pipeline.runtime.timings import Timing
from tests.report.figures.test_charts import svg
from tests.report.results import HISTORY, make_result
from tests.tiny import tiny_training

CTC = {**HISTORY, "val_cer": [0.7, 0.9], "val_blank_share": [1.0, 0.75]}


def curves(*results: Result) -> dict[str, str]:
    styles = {result.key: make_style(n, result.experiment.loss) for n, result in enumerate(results)}
    drawn = draw_curves(results, styles)
    for picture in drawn:
        assert all(result.key in picture.alt for result in results if f"{styles[result.key].colour}" in svg(picture))
    return {picture.alt.split(",")[0]: svg(picture) for picture in drawn}


def result(key: str, loss: str, history: dict[str, list[float]]) -> Result:
    return make_result(["a"], ["a"], key, loss, history=history)


def test_losses_have_separate_charts() -> None:
    ce, ctc = result("first", "ce", HISTORY), result("second", "ctc", CTC)
    charts = curves(ce, ctc)
    assert list(charts) == [
        "CER on validation lines",
        "CER on validation lines by minutes of training",
        "Fraction of CTC steps that are blank",
        "Cross-entropy: validation",
        "CTC loss: validation",
    ]
    colours = [make_style(0, "ce").colour, make_style(1, "ctc").colour]
    shown = [[colour in chart for colour in colours] for chart in charts.values()]
    assert shown == [[True, True], [True, True], [False, True], [True, False], [False, True]]


@pytest.mark.parametrize(("loss", "count"), [("ce", 3), ("ctc", 4)])
def test_there_is_no_chart_without_experiments(loss: str, count: int) -> None:
    assert len(curves(result("only", loss, CTC))) == count


def test_a_history_with_gaps_can_be_drawn() -> None:
    assert len(curves(result("only", "ctc", {"epoch": [0, 1], "val_loss": [4.5, float("nan")]}))) == 4


def test_the_lowest_cer_so_far_is_drawn_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, list[Series]] = {}

    def spy(title: str, series: list[Series], **options: object) -> Picture:
        drawn[title] = series
        return draw_chart(title, series, **options)

    monkeypatch.setattr("pipeline.report.figures.curves.draw_chart", spy)
    # 90 s for three epochs, of which the second was not validated
    history = {"epoch": [0, 1, 2], "val_cer": [0.5, float("nan"), 0.6], "val_loss": [1.0, 2.0, 3.0]}
    curves(result("only", "ctc", history))
    (series,) = drawn["CER on validation lines by minutes of training"]
    assert (list(series.x), list(series.y)) == ([0.5, 1.5], [0.5, 0.5])


def test_a_training_without_a_time_can_be_drawn() -> None:
    untimed = replace(result("only", "ctc", CTC), trained=Timing({"7": 90.0}, "fp32", "x86_64"))
    assert len(curves(untimed)) == 4


def test_the_kept_epoch_has_the_lowest_validation_loss() -> None:
    (found,) = summarize(result("only", "ctc", {**CTC, "val_loss": [2.5, 3.5], "val_cer": [0.7, 0.6]}))
    assert (found.key, found.epochs, found.kept_epoch, found.kept_cer) == ("only", 2, 1, 0.7)
    assert (found.train_loss, found.val_loss, found.blank_share) == (2.0, 3.5, 0.75)


def test_values_that_were_not_logged_are_none() -> None:
    nan = float("nan")
    (found,) = summarize(result("only", "ce", {"epoch": [0, 1], "val_loss": [nan, 4.5]}))
    assert (found.epochs, found.kept_epoch, found.kept_cer) == (2, 2, None)
    assert (found.train_loss, found.val_loss, found.blank_share) == (None, 4.5, None)
    (found,) = summarize(result("only", "ce", {"epoch": [0], "val_cer": [0.5]}))
    assert found.kept_epoch is None


def test_the_machine_of_a_training_includes_several_devices() -> None:
    one = result("only", "ctc", CTC)
    assert ran_on(one, tiny_training()) == one.trained.machine
    trainer = {"trainer": {"devices": 2, "num_nodes": 4}}
    four_nodes = replace(one, experiment=one.experiment.model_copy(update={"training": trainer}))
    assert ran_on(four_nodes, tiny_training()) == f"4 nodes, 2 devices, each: {one.trained.machine}"
