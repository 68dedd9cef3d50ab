import threading
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.settings.experiment import TrainingSettings
from pipeline.training.resume import FOLDER, KEPT, fingerprint_of, place_of, progress_of
from tests.tiny import tiny_training


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


def interrupted(fingerprint: str, content: str = "weights", run: str = "run 1") -> None:
    with suppress(KeyboardInterrupt), progress_of(fingerprint) as progress:
        progress.keep_run(run)
        progress.last.write_text(content)
        raise KeyboardInterrupt


def test_what_is_interrupted_stays_and_what_ends_well_goes() -> None:
    interrupted("a")
    with progress_of("a") as progress:
        assert progress == place_of("a")
        assert progress.last.read_text() == "weights"
        assert progress.run_id == "run 1"
    assert not progress.folder.exists()
    with progress_of("a") as progress:
        assert not progress.last.exists()
        assert progress.run_id is None


def test_a_run_without_a_whole_epoch_is_not_gone_on_with() -> None:
    with suppress(KeyboardInterrupt), progress_of("a") as progress:
        progress.keep_run("run 1")
        raise KeyboardInterrupt
    with progress_of("a") as progress:
        assert progress.run_id is None


def test_trainings_that_differ_do_not_meet() -> None:
    interrupted("a")
    with progress_of("b") as progress:
        assert not progress.last.exists()
    with progress_of("a") as progress:
        assert progress.last.exists()


def test_two_processes_at_the_same_training_do_not_share_it(root: Path) -> None:
    interrupted("a")
    others: list[bool] = []

    def second() -> None:
        with progress_of("a") as progress:
            others.extend([progress.last.exists(), progress.folder.is_relative_to(root / FOLDER)])

    with progress_of("a") as progress:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert progress.last.exists()
    assert others == [False, False]


def test_only_the_latest_interrupted_trainings_are_kept(root: Path) -> None:
    for number in range(KEPT + 3):
        interrupted(f"training{number:02}")
        (root / FOLDER / f"training{number:02}").touch()
    kept = sorted(path.name for path in (root / FOLDER).iterdir() if path.is_dir())
    assert kept == [f"training{number:02}" for number in range(3, KEPT + 3)]


def test_the_seeds_of_an_experiment_are_kept_together(root: Path) -> None:
    for number in range(KEPT):
        for seed in range(3):
            interrupted(f"training{number}-{seed}")
    kept = sorted(path.name for path in (root / FOLDER).iterdir() if path.is_dir())
    assert kept == [f"training{number}-{seed}" for number in range(KEPT) for seed in range(3)]
    interrupted("another-0")
    assert not list((root / FOLDER).glob("training0-*"))
    assert len(list((root / FOLDER).glob("training1-?"))) == 3


def test_a_training_that_ended_keeps_what_it_made_and_no_more() -> None:
    interrupted("a-1")
    with suppress(KeyboardInterrupt), progress_of("a-1") as progress:
        assert progress.seconds is None
        progress.checkpoint.write_text("weights")
        progress.history.write_text("epoch\n")
        progress.finish(1 / 3)
        raise KeyboardInterrupt
    with progress_of("a-1") as progress:
        assert progress.seconds == 1 / 3
        assert sorted(path.name for path in progress.folder.iterdir()) == [
            "history.csv",
            "run",
            "seconds",
            "trained.ckpt",
        ]


def test_seeds_share_the_first_part_of_their_names() -> None:
    first, second = (fingerprint_of({}, tiny_training(seeds=[seed]), "data") for seed in (1, 23))
    assert (first.partition("-")[0], first.endswith("-1")) == (second.partition("-")[0], True)
    assert second.endswith("-23")


def test_all_that_decides_the_weights_is_in_the_fingerprint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def name(settings: dict[str, object], training: TrainingSettings, *inputs: str) -> str:
        return fingerprint_of(settings, training, *inputs)

    start = name({"conv_dim": 4}, tiny_training(), "data")
    assert name({"conv_dim": 4}, tiny_training(), "data") == start
    others = [
        name({"conv_dim": 5}, tiny_training(), "data"),
        name({"conv_dim": 4}, tiny_training(seeds=[2]), "data"),
        name({"conv_dim": 4}, tiny_training({"precision": "bf16-mixed"}), "data"),
        name({"conv_dim": 4}, tiny_training(), "other data"),
        name({"conv_dim": 4}, tiny_training(), "data", "checkpoint"),
    ]
    (tmp_path / "code.py").write_text("changed = True\n")
    monkeypatch.setattr("pipeline.training.resume._PACKAGE", tmp_path)
    others.append(name({"conv_dim": 4}, tiny_training(), "data"))
    assert len({start, *others}) == 7
