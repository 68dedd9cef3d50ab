from pathlib import Path

from pipeline.common.files import file_md5
from pipeline.settings.experiment import ExperimentSettings
from pipeline.tracking.run_description import run_note, run_settings, run_tags
from tests.projects import write_lines
from tests.tiny import tiny_lines, tiny_training
from tests.tracking.conftest import TRAINING


def test_settings_hold_what_decides_the_result(experiment: ExperimentSettings) -> None:
    settings = run_settings(experiment, TRAINING, 43)
    assert list(settings) == ["lines", "loss", "model", "load", "seed", "training"]
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
    assert run_tags(experiment, 43) == tags
    write_lines(Path("data/lines/own.h5"), tiny_lines(["other"]), data="other characters")
    changed = run_tags(experiment, 43)
    assert changed["data"] == "other characters"
    assert changed["data_md5"] != tags["data_md5"]


def test_the_note_is_a_sentence_for_people(experiment: ExperimentSettings) -> None:
    made_of = "lines 'own' made from own characters and the text of own text."
    assert run_note("mine", experiment, TRAINING) == f"mine: line_cnn_lstm trained with ctc on 1,234 {made_of}"
    endless = tiny_training(endless={"lines_per_epoch": 8})
    assert run_note("mine", experiment, endless) == f"mine: line_cnn_lstm trained with ctc on endless {made_of}"
