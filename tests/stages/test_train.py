from pathlib import Path

import pandas as pd
import pytest
import torch

from pipeline.models.checkpoint import load_checkpoint, save_checkpoint
from pipeline.tracking.store import open_store
from tests.projects import Project, write_lines
from tests.tiny import tiny_lines, tiny_settings

LINES, CHECKPOINT, HISTORY = Path("data/lines/own.h5"), Path("models/own/seed_42.ckpt"), Path("history/own.csv")
TEXTS = ["AB", "CCA", "hi B", "A"]
FROZEN = {"max_epochs": 1, "learning_rate": 1e-30, "trainer": {"accelerator": "cpu", "precision": "32-true"}}
"""A training that leaves the weights as they begin."""


@pytest.fixture
def ready(tracked: Project) -> Project:
    """A project with an experiment `own` on four short lines."""
    write_lines(tracked.root / LINES, tiny_lines(TEXTS), parts=["train", "validation"])
    model = {"name": "line_cnn", "window_width": 16, "window_stride": 8, "conv_dim": 4, "fc_dim": 24}
    tracked.change(experiments={"own": {"lines": "own", "loss": "ctc", "model": model, "training": FROZEN}})
    return tracked


def other_checkpoint(path: Path, **changes: object) -> dict[str, torch.Tensor]:
    """Write fresh weights of a model like the experiment's, and return them."""
    settings = tiny_settings("line_cnn", **changes)
    torch.manual_seed(7)
    recognizer = settings.build()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, settings, recognizer)
    return recognizer.model.state_dict()


def same_parameters(weights: dict[str, torch.Tensor]) -> bool:
    _, recognizer = load_checkpoint(CHECKPOINT)
    parameters = dict(recognizer.model.named_parameters())
    return all(torch.equal(parameter.detach(), weights[name]) for name, parameter in parameters.items())


def test_training_starts_from_the_checkpoint_on_the_command_line(ready: Project) -> None:
    weights = other_checkpoint(ready.root / "kept/other.ckpt")
    ready.run("train", "own")
    assert not same_parameters(weights)
    ready.run("train", "own", "--load", "kept/other.ckpt")
    assert same_parameters(weights)


def test_the_command_line_overrides_the_settings(ready: Project) -> None:
    other_checkpoint(ready.root / "kept/wide.ckpt", conv_dim=5)
    weights = other_checkpoint(ready.root / "kept/other.ckpt")
    ready.change(experiments={"own": {"load": "kept/wide.ckpt"}})
    assert ready.refusal("train", "own") == (
        "load: kept/wide.ckpt holds a line_cnn of other sizes than this experiment's line_cnn "
        "(convs.0.weight: (5, 1, 3, 3) instead of (4, 1, 3, 3)); give both the same model settings"
    )
    assert not CHECKPOINT.exists()
    ready.run("train", "own", "--load", "kept/other.ckpt")
    assert same_parameters(weights)


def test_a_missing_checkpoint_to_load_is_refused_in_one_line(ready: Project) -> None:
    line = ready.refusal("train", "own", "--load", "kept/absent.ckpt")
    assert line.startswith("kept/absent.ckpt: no such checkpoint")
    assert not CHECKPOINT.exists()
    assert not HISTORY.exists()


def test_the_same_training_gives_the_same_bytes(ready: Project) -> None:
    ready.change(experiments={"own": {"training": {"max_epochs": 2, "learning_rate": 0.005, "batch_size": 2}}})
    written = []
    for _ in range(2):
        ready.run("train", "own")
        written.append((CHECKPOINT.read_bytes(), HISTORY.read_bytes()))
        CHECKPOINT.unlink()
    assert written[0] == written[1]
    history = pd.read_csv(HISTORY)
    assert history["epoch"].tolist() == [0, 1]
    assert history["step"].tolist() == [2, 4]  # 4 lines, 2 at a time


@pytest.mark.parametrize("missing", ["experiment", "lines"])
def test_missing_inputs_are_named(ready: Project, missing: str) -> None:
    if missing == "lines":
        (ready.root / LINES).unlink()
        line = ready.refusal("train", "own")
        assert line.startswith("data/lines/own.h5: cannot be read as lines (")
        assert line.endswith("; run `dvc repro synthesize`")
    else:
        line = ready.refusal("train", "lstm_ctc_varible")
        assert line == "params.yaml: experiments.lstm_ctc_varible: unknown; did you mean lstm_ctc_variable?"
    assert not CHECKPOINT.exists()


def test_a_training_that_fails_leaves_no_outputs_and_a_failed_run(ready: Project) -> None:
    ready.change(experiments={"own": {"model": {"window_stride": 48}}})
    # 'CCA' is 84 pixels wide: windows begin at 0 and at 48. 'hi B' is 112: one more.
    assert "CTC cannot fit 4 of 8 lines: 'CCA' and its repeats need 4 steps" in ready.refusal("train", "own")
    assert not CHECKPOINT.exists()
    assert not HISTORY.exists()
    store = open_store()
    (run,) = store.client.search_runs([store.experiment_id], max_results=1)
    assert (run.info.run_name, run.info.status) == ("own", "FAILED")
    assert "model_md5" not in run.data.tags


@pytest.mark.parametrize(
    ("name", "loss", "sizes", "text", "epochs"),
    [
        # Without a space: a single window cannot tell it from the background after the line.
        ("line_cnn_simple", "ce", {"window_width": 28, "window_stride": 28, "conv_dim": 4, "fc_dim": 24}, "hiB", 30),
        ("line_cnn_simple", "ctc", {"window_width": 28, "window_stride": 14, "conv_dim": 4, "fc_dim": 24}, "hiB", 30),
    ],
)
def test_one_line_is_memorized(
    tracked: Project, name: str, loss: str, sizes: dict[str, int], text: str, epochs: int
) -> None:
    write_lines(tracked.root / LINES, tiny_lines([text] * 4))
    training = {
        "batch_size": 4,
        "max_epochs": epochs,
        "learning_rate": 0.02,
        "early_stopping_patience": epochs,
        "trainer": {"accelerator": "cpu", "precision": "32-true"},
    }
    model = {"name": name, "limit_output_length": False, **sizes}
    tracked.change(experiments={"own": {"lines": "own", "loss": loss, "model": model, "training": training}})
    printed = tracked.run("train", "own")
    assert "train: own: in 32-true\n" in printed
    assert f"best of {epochs} epochs" in printed
    assert tracked.run("evaluate", "own") == "evaluate: own: CER 0.00%, as the lab counts 0.00%\n"
    assert pd.read_csv("predictions/own.csv")["prediction"].tolist() == [text] * 4
    history = pd.read_csv(HISTORY)
    assert len(history) == epochs
    assert history["train_cer"].iloc[0] > 0.5
    assert [path.name for path in Path("models").rglob("*.ckpt")] == ["seed_42.ckpt"]
