import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from pipeline.common.files import file_md5
from pipeline.models.checkpoint import save_checkpoint
from pipeline.tracking.store import open_store
from tests.projects import Project, write_lines
from tests.tiny import tiny_lines, tiny_settings

LINES, CHECKPOINT = Path("data/lines/own.h5"), Path("models/own/seed_42.ckpt")
TEXTS = ["AB", "NA", "007", "hi B", "A"]
SETTINGS = tiny_settings("line_cnn_simple", "ce", window_stride=28)
COUNTED = ("positions", "hits", "text_positions", "text_hits")


@pytest.fixture
def trained(tracked: Project) -> Project:
    """A project with an experiment `own` that has a checkpoint of fresh weights, and one epoch of history."""
    write_lines(tracked.root / LINES, tiny_lines(TEXTS), parts=["train", "test"])
    training = {"trainer": {"accelerator": "cpu", "precision": "32-true"}}
    experiment = {"lines": "own", "loss": "ce", "model": SETTINGS.model.model_dump(), "training": training}
    tracked.change(experiments={"own": experiment})
    torch.manual_seed(0)
    Path("models").mkdir()
    save_checkpoint(CHECKPOINT, SETTINGS, SETTINGS.build())
    Path("history").mkdir()
    Path("history/own.csv").write_text("seed,epoch,val_loss\n42,0,4.5\n")
    return tracked


def test_metrics_and_predictions_agree(trained: Project) -> None:
    printed = trained.run("evaluate", "own")
    table = pd.read_csv("predictions/own.csv", keep_default_na=False, dtype={"text": str, "prediction": str})
    assert list(table.columns) == [*("seed", "line", "text", "prediction", "edits", "width"), *COUNTED]
    assert table["text"].tolist() == TEXTS
    assert table["width"].tolist() == [28 * len(text) for text in TEXTS]
    metrics = json.loads(Path("metrics/own.json").read_text())
    assert metrics["lines"] == 5
    assert metrics["test_cer"] == pytest.approx(table["edits"].sum() / 12)  # 2 + 2 + 3 + 4 + 1 characters
    assert metrics["test_accuracy"] == pytest.approx(table["hits"].sum() / table["positions"].sum())
    assert metrics["test_accuracy_text"] == pytest.approx(table["text_hits"].sum() / table["text_positions"].sum())
    timing = json.loads(Path("timings/own_evaluate.json").read_text())
    assert timing["precision"] == "fp32"
    assert timing["by_seed"]["42"] > 0
    assert printed.startswith(f"evaluate: own: CER {metrics['test_cer']:.2%}, as the lab counts ")


def test_a_checkpoint_without_a_run_gets_one(trained: Project) -> None:
    trained.run("evaluate", "own")
    store = open_store()
    found = store.client.search_runs([store.experiment_id], f"tags.model_md5 = '{file_md5(CHECKPOINT)}'")
    (run,) = found
    metrics = json.loads(Path("metrics/own.json").read_text())
    assert run.data.metrics["test_cer"] == metrics["test_cer"]
    assert run.data.tags["source"] == "backfill"
    assert [file.path for file in store.client.list_artifacts(run.info.run_id)] == ["test_readings.png"]


def test_a_missing_checkpoint_is_refused_in_one_line(trained: Project) -> None:
    CHECKPOINT.unlink()
    assert trained.refusal("evaluate", "own") == (
        "models/own/seed_42.ckpt: no such checkpoint; `dvc repro train` makes them"
    )
    assert not Path("metrics").exists()


def test_a_foreign_checkpoint_is_refused_in_one_line(trained: Project) -> None:
    torch.save({"state_dict": {}}, CHECKPOINT)
    line = trained.refusal("evaluate", "own")
    assert (
        line == "models/own/seed_42.ckpt: not a checkpoint of this project (expected format emnist-lines-checkpoint/1)"
    )
    CHECKPOINT.write_bytes(b"no checkpoint at all")
    assert trained.refusal("evaluate", "own").startswith(
        "models/own/seed_42.ckpt: not a checkpoint that can be loaded safely"
    )
    assert not Path("metrics").exists()
    assert not Path("predictions").exists()
