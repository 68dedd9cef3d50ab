import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from pipeline.data.loading.streaming import StreamingLines
from pipeline.settings.experiment import TrainingSettings
from pipeline.training.resume import FOLDER, MAX_KEPT, TrainingProgress, find_progress, make_fingerprint, open_progress
from pipeline.training.train import train
from tests.data.loading.test_streaming import AUGMENTATION, streaming_lines
from tests.tiny import RESNETS, tiny_lines, tiny_settings, tiny_training
from tests.training.short import TEXTS, checkpoint_bytes

RECIPE = {
    "max_epochs": 4,
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "one_cycle": True,
    "warm_up": 0.25,
    "average_decay": 0.5,
    "intermediate_weight": 0.25,
    "label_smoothing": 0.05,
}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


def interrupted(fingerprint: str, content: str = "weights", run: str = "run 1") -> None:
    with suppress(KeyboardInterrupt), open_progress(fingerprint) as progress:
        progress.save_run_id(run)
        progress.last_checkpoint.write_text(content)
        raise KeyboardInterrupt


def test_interrupted_trainings_are_kept_and_finished_ones_removed() -> None:
    interrupted("a")
    with open_progress("a") as progress:
        assert progress == find_progress("a")
        assert progress.last_checkpoint.read_text() == "weights"
        assert progress.run_id == "run 1"
    assert not progress.folder.exists()
    with open_progress("a") as progress:
        assert not progress.last_checkpoint.exists()
        assert progress.run_id is None


def test_a_training_without_a_whole_epoch_has_its_run_again() -> None:
    with suppress(KeyboardInterrupt), open_progress("a") as progress:
        progress.save_run_id("run 1")
        raise KeyboardInterrupt
    with open_progress("a") as progress:
        assert not progress.last_checkpoint.exists()
        assert progress.run_id == "run 1"
    with open_progress("a") as progress:
        assert progress.run_id is None


def test_different_trainings_have_different_folders() -> None:
    interrupted("a")
    with open_progress("b") as progress:
        assert not progress.last_checkpoint.exists()
    with open_progress("a") as progress:
        assert progress.last_checkpoint.exists()


def test_two_processes_do_not_share_a_training(root: Path) -> None:
    interrupted("a")
    others: list[bool] = []

    def second() -> None:
        with open_progress("a") as progress:
            others.extend([progress.last_checkpoint.exists(), progress.folder.is_relative_to(root / FOLDER)])

    with open_progress("a") as progress:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert progress.last_checkpoint.exists()
    assert others == [False, False]


def test_only_the_latest_interrupted_trainings_are_kept(root: Path) -> None:
    for number in range(MAX_KEPT + 3):
        interrupted(f"training{number:02}")
        (root / FOLDER / f"training{number:02}").touch()
    kept = sorted(path.name for path in (root / FOLDER).iterdir() if path.is_dir())
    assert kept == [f"training{number:02}" for number in range(3, MAX_KEPT + 3)]


def test_the_seeds_of_an_experiment_are_kept_together(root: Path) -> None:
    for number in range(MAX_KEPT):
        for seed in range(3):
            interrupted(f"training{number}-{seed}")
    kept = sorted(path.name for path in (root / FOLDER).iterdir() if path.is_dir())
    assert kept == [f"training{number}-{seed}" for number in range(MAX_KEPT) for seed in range(3)]
    interrupted("another-0")
    assert not list((root / FOLDER).glob("training0-*"))
    assert len(list((root / FOLDER).glob("training1-?"))) == 3


def test_a_finished_training_keeps_only_its_results() -> None:
    interrupted("a-1")
    with suppress(KeyboardInterrupt), open_progress("a-1") as progress:
        assert progress.seconds is None
        progress.trained_checkpoint.write_text("weights")
        progress.history.write_text("epoch\n")
        progress.finish(1 / 3)
        raise KeyboardInterrupt
    with open_progress("a-1") as progress:
        assert progress.seconds == 1 / 3
        assert sorted(path.name for path in progress.folder.iterdir()) == [
            "history.csv",
            "run",
            "seconds",
            "trained.ckpt",
        ]


def test_fingerprints_of_seeds_share_their_first_part() -> None:
    first, second = (make_fingerprint({}, tiny_training(seeds=[seed]), "data") for seed in (1, 23))
    assert (first.partition("-")[0], first.endswith("-1")) == (second.partition("-")[0], True)
    assert second.endswith("-23")


def test_all_that_decides_the_weights_is_in_the_fingerprint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def name(settings: dict[str, object], training: TrainingSettings, *inputs: str) -> str:
        return make_fingerprint(settings, training, *inputs)

    start = name({"conv_dim": 4}, tiny_training(), "data")
    assert name({"conv_dim": 4}, tiny_training(), "data") == start
    others = [
        name({"conv_dim": 5}, tiny_training(), "data"),
        name({"conv_dim": 4}, tiny_training(seeds=[2]), "data"),
        name({"conv_dim": 4}, tiny_training(learning_rate=0.002), "data"),
        name({"conv_dim": 4}, tiny_training({"precision": "bf16-mixed"}), "data"),
        name({"conv_dim": 4}, tiny_training(), "other data"),
        name({"conv_dim": 4}, tiny_training(), "data", "checkpoint"),
    ]
    (tmp_path / "code.py").write_text("changed = True\n")
    monkeypatch.setattr("pipeline.training.resume._PACKAGE", tmp_path)
    others.append(name({"conv_dim": 4}, tiny_training(), "data"))
    assert len({start, *others}) == 8


class Interruption(Exception):
    """Stands for anything that ends a process."""


def interrupt_in(epoch: int) -> Callable[[int, dict[str, float]], None]:
    """Interrupt the training at the end of an epoch, before it is saved."""

    def on_epoch(number: int, _row: dict[str, float]) -> None:
        if number == epoch:
            raise Interruption

    return on_epoch


@pytest.mark.parametrize(
    ("name", "loss", "changes"),
    [
        ("line_cnn_simple", "ce", {}),
        ("line_cnn_lstm", "ctc", {"one_cycle": True}),
        ("line_cnn", "ce", {"learning_rate": 0.05, "early_stopping_patience": 1, "max_epochs": 30}),
        ("line_cnn", "ce", {"find_learning_rate": True}),
    ],
)
def test_a_resumed_training_equals_an_uninterrupted_one(
    name: str, loss: str, changes: dict[str, object], tmp_path: Path
) -> None:
    settings, training = (
        tiny_settings(name, loss),
        tiny_training(**{"max_epochs": 5, "learning_rate": 0.002, **changes}),
    )
    lines, validation = tiny_lines(TEXTS * 3), tiny_lines(TEXTS, seed=1)
    whole = train(settings, training, lines, validation)
    progress = TrainingProgress(tmp_path / "progress")
    epochs = len(whole.history)
    for epoch in sorted({0, 1, epochs - 1}):  # in the first one, twice later, in the last one
        with pytest.raises(Interruption):
            train(settings, training, lines, validation, interrupt_in(epoch), progress)
        assert progress.last_checkpoint.exists() is (epoch > 0)
    heard: list[int] = []
    resumed = train(settings, training, lines, validation, lambda epoch, _row: heard.append(epoch), progress)
    assert heard == [epochs - 1]
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert checkpoint_bytes(resumed, settings, tmp_path) == checkpoint_bytes(whole, settings, tmp_path)
    # Interrupted after the last epoch, before its results were written:
    again = train(settings, training, lines, validation, lambda epoch, _row: heard.append(epoch), progress)
    assert heard == [epochs - 1]
    pd.testing.assert_frame_equal(again.history, whole.history, check_exact=True)
    assert checkpoint_bytes(again, settings, tmp_path) == checkpoint_bytes(whole, settings, tmp_path)


def streaming() -> StreamingLines:
    return streaming_lines(12, **AUGMENTATION)


@pytest.mark.parametrize("name", RESNETS)
def test_a_resumed_training_on_streaming_lines_equals_an_uninterrupted_one(name: str, tmp_path: Path) -> None:
    settings, training = tiny_settings(name, max_length=10, dropout=0.1, intermediate=True), tiny_training(**RECIPE)
    lines = tiny_lines(["ABC", "one A"], max_length=10)
    whole = train(settings, training, streaming(), lines)
    assert whole.history["step"].tolist() == [3, 6, 9, 12]  # 12 lines, 4 at a time
    progress = TrainingProgress(tmp_path)
    with pytest.raises(Interruption):
        train(settings, training, streaming(), lines, interrupt_in(2), progress)
    resumed = train(settings, training, streaming(), lines, progress=progress)
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert checkpoint_bytes(resumed, settings, tmp_path) == checkpoint_bytes(whole, settings, tmp_path)
