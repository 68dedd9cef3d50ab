import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.common.files import file_md5
from pipeline.runtime.timings import write_timing
from pipeline.settings.experiment import ExperimentSettings
from pipeline.tracking.outputs import evaluation_of
from pipeline.tracking.records import note_of, settings_of, tags_of
from tests.projects import write_lines
from tests.tiny import tiny_lines, tiny_model, tiny_training

TRAINING = tiny_training(learning_rate=0.25, max_epochs=7)


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExperimentSettings:
    """An experiment on lines that lie in the working folder."""
    monkeypatch.chdir(tmp_path)
    write_lines(Path("data/lines/own.h5"), tiny_lines(["word"] * 1234))
    model = tiny_model("line_cnn_lstm").model_dump()
    block: dict[str, Any] = {"lines": "own", "loss": "ctc", "model": model, "training": {"max_epochs": 7}}
    return ExperimentSettings.model_validate(block)


def test_settings_hold_what_decides_the_result(experiment: ExperimentSettings) -> None:
    settings = settings_of(experiment, TRAINING, 43)
    assert list(settings) == ["lines", "loss", "model", "seed", "training"]
    assert settings["seed"] == 43
    assert "seeds" not in settings["training"]
    assert settings["model"] == {
        "name": "line_cnn_lstm",
        "window_width": 16,
        "window_stride": 8,
        "limit_output_length": False,
        "conv_dim": 4,
        "fc_dim": 24,
        "lstm_dim": 12,
        "lstm_layers": 1,
        "lstm_dropout": 0.2,
        "intermediate": False,
    }
    # The experiment's own keys are in the whole training block, with all the others.
    assert (settings["training"]["max_epochs"], settings["training"]["learning_rate"]) == (7, 0.25)
    assert settings["training"]["trainer"]["precision"] == "32-true"


def test_tags_name_model_loss_and_data(experiment: ExperimentSettings) -> None:
    tags = {
        "model": "line_cnn_lstm",
        "loss": "ctc",
        "lines": "own",
        "seed": "43",
        "data": "own characters",
        "data_md5": file_md5(Path("data/lines/own.h5")),
    }
    assert tags_of(experiment, 43) == tags
    write_lines(Path("data/lines/own.h5"), tiny_lines(["other"]), data="other characters")
    changed = tags_of(experiment, 43)
    assert changed["data"] == "other characters"
    assert changed["data_md5"] != tags["data_md5"]


def test_the_note_is_a_sentence_for_people(experiment: ExperimentSettings) -> None:
    made_of = "lines 'own' made from own characters and the text of own text."
    assert note_of("mine", experiment, TRAINING) == f"mine: line_cnn_lstm trained with ctc on 1,234 {made_of}"
    endless = tiny_training(endless={"lines_per_epoch": 8})
    assert note_of("mine", experiment, endless) == f"mine: line_cnn_lstm trained with ctc on endless {made_of}"


def test_an_evaluation_has_the_numbers_and_leaves_out_the_rest(experiment: ExperimentSettings) -> None:
    Path("metrics").mkdir()
    measured = {"test_cer": 0.25, "test_wer": 1, "parameters": 99, "text": "fp32", "none": None}
    Path("metrics/mine.json").write_text(json.dumps(measured))
    write_timing("mine", "evaluate", {1: 1234.56}, "fp32")
    write_timing("mine", "train", {1: 60.04}, "32-true")
    found = evaluation_of("mine", experiment, TRAINING, 1, {"a.png": Path("b.png")})
    assert found.metrics == {"cer": 0.25, "wer": 1, "parameters": 99, "lines_per_second": 1234.6}
    assert (found.training, found.seed, found.variant) == ({"training_seconds": 60.0}, 1, "")
    assert (found.experiment_key, found.checkpoint, found.history, found.pictures, found.settings, found.tags) == (
        *("mine", Path("models/mine/seed_1.ckpt"), Path("history/mine.csv"), {"a.png": Path("b.png")}),
        settings_of(experiment, TRAINING, 1),
        tags_of(experiment, 1),
    )


def test_each_of_several_seeds_has_numbers_of_its_own(experiment: ExperimentSettings) -> None:
    by_seed = {"1": {"test_cer": 0.25}, "2": {"test_cer": 0.5}}
    measured = {"test_cer": 0.375, "parameters": 99, "test_cer_std": 0.18, "seeds": 2, "by_seed": by_seed}
    Path("metrics").mkdir()
    Path("metrics/mine.json").write_text(json.dumps(measured))
    write_timing("mine", "train", {1: 60, 2: 70}, "32-true")
    training = tiny_training(seeds=[1, 2, 3])
    first, second, third = (evaluation_of("mine", experiment, training, seed) for seed in (1, 2, 3))
    assert first.metrics == {"cer": 0.25, "parameters": 99}
    assert second.metrics == {"cer": 0.5, "parameters": 99}
    assert (second.training, second.variant, second.tags["seed"]) == ({"training_seconds": 70}, "seed 2", "2")
    assert (third.metrics, third.training) == ({}, {})  # measured before it was added


def test_a_training_that_is_not_evaluated_has_no_metrics(experiment: ExperimentSettings) -> None:
    found = evaluation_of("mine", experiment, TRAINING, 1)
    assert (found.metrics, found.pictures) == ({}, {})
