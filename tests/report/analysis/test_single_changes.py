from dataclasses import replace
from typing import Any

import pytest

from pipeline.report.analysis.rates import resample_rates
from pipeline.report.analysis.results import Result
from pipeline.report.analysis.single_changes import find_difference, find_single_changes, resolve_settings
from tests.report.results import make_result
from tests.tiny import tiny_model, tiny_training

TEXTS = ["abcd", "ef"] * 20
WARPED = {"lines_per_epoch": 10, "variety": {"warp": 0.5, "line": {"slant": 0.1}}}


def trained(key: str, *, wrong: int = 0, lines: str = "own", model: Any = None, **training: Any) -> Result:
    """An experiment that gets the first characters of its lines wrong."""
    predictions = [text[wrong:] for text in TEXTS]
    result = make_result(TEXTS, predictions, key, "ctc", lines)
    settings = {"training": training, **({"model": model} if model else {})}
    return replace(result, experiment=result.experiment.model_copy(update=settings))


def found(*results: Result) -> list[tuple[str, str, str, tuple[str, str]]]:
    rates = resample_rates(TEXTS, {result.key: [result.predictions] for result in results})
    changes = find_single_changes(results, rates, tiny_training(one_cycle=False))
    return [(one.before.key, one.after.key, one.setting, one.values) for one in changes]


def test_experiments_that_differ_in_one_setting_are_paired_in_order() -> None:
    results = [trained("plain"), trained("cycle", one_cycle=True), trained("both", one_cycle=True, batch_size=7)]
    assert found(*results) == [
        ("plain", "cycle", "training.one_cycle", ("off", "on")),
        ("cycle", "both", "training.batch_size", (str(tiny_training().batch_size), "7")),
    ]


def test_explicit_defaults_and_seeds_are_no_change() -> None:
    assert found(trained("a"), trained("b", one_cycle=False, seeds=[7, 8])) == []


def test_experiments_on_other_lines_are_never_paired() -> None:
    assert found(trained("a"), trained("b", lines="other", one_cycle=True)) == []


@pytest.mark.parametrize(
    ("before", "after", "setting", "values"),
    [
        (WARPED, None, "training.endless", ("set", "none")),
        (WARPED, {"lines_per_epoch": 10}, "training.endless.variety", ("set", "none")),
        (WARPED, {**WARPED, "lines_per_epoch": 11}, "training.endless.lines_per_epoch", ("10", "11")),
        (WARPED, {"lines_per_epoch": 11}, "training.endless", ("set", "set")),
    ],
)
def test_a_block_counts_as_one_setting(before: object, after: object, setting: str, values: tuple[str, str]) -> None:
    assert found(trained("a", endless=before), trained("b", endless=after)) == [("a", "b", setting, values)]


def test_numbers_are_not_shown_as_switches() -> None:
    models = [tiny_model("line_cnn_lstm", lstm_layers=layers) for layers in (1, 2)]
    a, b = (trained(key, model=model) for key, model in zip("ab", models, strict=True))
    assert found(a, b) == [("a", "b", "model.lstm_layers", ("1", "2"))]


def test_another_model_is_one_change_whatever_its_settings() -> None:
    names = ["line_cnn", "line_cnn_lstm"]
    a, b = (trained(name, model=tiny_model(name)) for name in names)
    assert found(a, b) == [(*names, "model.name", tuple(names))]


def test_two_sizes_of_a_model_are_two_changes() -> None:
    model = tiny_model("line_cnn")
    other = model.model_copy(update={"conv_dim": model.conv_dim + 1, "fc_dim": model.fc_dim + 1})
    assert found(trained("a", model=model), trained("b", model=other)) == []


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        ({"x": {"y": 1}}, {"x": {"y": 1}}, None),
        ({"x": {"y": 1}}, {"x": {"y": 2}}, ("x", "y")),
        ({"x": {"y": 1, "z": 1}}, {"x": {"y": 2, "z": 2}}, None),
        ({"x": {"y": {"u": 1, "v": 1}}}, {"x": {"y": {"u": 2, "v": 2}}}, ("x", "y")),
        ({"x": {"y": 1}, "z": 1}, {"x": {"y": 2}, "z": 2}, None),
        ({"x": {"y": None}}, {"x": {"y": {"u": 1, "v": 1}}}, ("x", "y")),
    ],
)
def test_the_common_block_of_all_differences(
    a: dict[str, Any], b: dict[str, Any], path: tuple[str, ...] | None
) -> None:
    assert find_difference(a, b) == find_difference(b, a) == path


def test_the_difference_is_what_the_change_adds_to_the_error_rate() -> None:
    before, after = trained("a"), trained("b", wrong=1, one_cycle=True)
    rates = resample_rates(TEXTS, {one.key: [one.predictions] for one in (before, after)})
    (change,) = find_single_changes([before, after], rates, tiny_training())
    assert change.difference.value == pytest.approx(2 / 6)  # a character of "abcd" and one of "ef"
    assert change.difference.low <= 2 / 6 <= change.difference.high
    assert change.lines == "own"


def test_settings_are_complete() -> None:
    settings = resolve_settings(trained("a", optimizer="adamw"), tiny_training())
    assert settings["training"]["optimizer"] == "adamw"
    assert settings["training"]["weight_decay"] == 0
    assert "seeds" not in settings["training"]
