import pytest

from pipeline.settings.project import check_project
from tests.settings.test_project import changed, refusal


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (
            {"emnist/archive": "my.zip"},
            "emnist.archive: has no effect with source nist; "
            "set emnist.source to archive, or emnist.archive to data/none",
        ),
        (
            {"emnist/source": "glyphs", "emnist/sha256": "0" * 64},
            "emnist.sha256: has no effect with source glyphs; set emnist.source to archive, or emnist.sha256 to null",
        ),
        (
            {"emnist/url": "https://example.org/my.zip"},
            "emnist.url: has no effect with source nist; set emnist.source to archive, or emnist.url to null",
        ),
        (
            {"corpus/archive": "my.zip"},
            "corpus.archive: has no effect with source brown; "
            "set corpus.source to archive, or corpus.archive to data/none",
        ),
        (
            {"experiments/cnn_ctc_matched/training": {"weight_decay": 0.1}},
            "experiments.cnn_ctc_matched.training.weight_decay: has no effect without optimizer: adamw; "
            "set that, or weight_decay to 0.0",
        ),
        (
            {"experiments/resnet_lstm_ctc_variable/training/intermediate_weight": 0.5},
            "experiments.resnet_lstm_ctc_variable.training.intermediate_weight: "
            "has no effect without a model with intermediate: true; set that, or intermediate_weight to 0.3",
        ),
        (
            {"experiments/resnet_lookalikes_ctc_variable/training/local_steps": 8},
            "experiments.resnet_lookalikes_ctc_variable.training.local_steps: has no effect without trainer.devices "
            "or trainer.num_nodes above 1; set that, or local_steps to 1",
        ),
        (
            {"experiments/resnet_lookalikes_ctc_variable/training/augmentation": {"slant": 0.1}},
            "experiments.resnet_lookalikes_ctc_variable.training.augmentation: has no effect on streaming lines; "
            "set endless.variety instead, or augmentation to null",
        ),
        (
            {"experiments/resnet_lookalikes_ctc_variable/training/passes_per_epoch": 2},
            "experiments.resnet_lookalikes_ctc_variable.training.passes_per_epoch: has no effect on streaming lines; "
            "set endless.lines_per_epoch instead, or passes_per_epoch to 1",
        ),
        (
            {"experiments/cnn_ctc_matched/training": {"frozen": ["convs"]}},
            "experiments.cnn_ctc_matched.training.frozen: has no effect without experiments.cnn_ctc_matched.load; "
            "set that, or frozen to []",
        ),
        (
            {"experiments/lstm_ctc_variable/model/lstm_dropout": 0.5},
            "experiments.lstm_ctc_variable.model.lstm_dropout: has no effect with lstm_layers: 1; "
            "set lstm_layers to 2 or more, or lstm_dropout to 0.2",
        ),
    ],
)
def test_a_setting_without_effect_is_refused(edits: dict[str, object], message: str) -> None:
    assert refusal(edits) == message


@pytest.mark.parametrize(
    "edits",
    [
        {"emnist/source": "archive", "emnist/archive": "my.zip", "emnist/sha256": "0" * 64},
        # The shared block may serve experiments that a study leaves out.
        {"training/weight_decay": 0.1},
        {"experiments/cnn_ctc_matched/training": {"weight_decay": 0.1, "optimizer": "adamw"}},
        {"experiments/cnn_ctc_matched/training": {"weight_decay": 0.0, "warm_up": 0.3, "local_steps": 1}},
        {"experiments/resnet_lookalikes_ctc_variable/training/intermediate_weight": 0.5},
        {"training/intermediate_weight": 0.5},
        {"experiments/lstm_ctc_variable/model/lstm_dropout": 0.5, "experiments/lstm_ctc_variable/model/lstm_layers": 2},
        {"experiments/lstm_ctc_variable/model/lstm_dropout": 0.0},
        # An ablation turns one key off.
        {"experiments/resnet_lstm_ctc_variable/training/optimizer": "adam"},
        {"experiments/resnet_lstm_ctc_variable/training/one_cycle": False},
        {
            "experiments/resnet_lookalikes_ctc_variable/training/intermediate_weight": 0.5,
            "experiments/resnet_lookalikes_ctc_variable/model/intermediate": False,
        },
    ],
)
def test_a_setting_with_an_effect_passes(edits: dict[str, object]) -> None:
    check_project(changed(edits))
