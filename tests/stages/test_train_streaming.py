"""The stage `train` on streaming lines."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.tracking.store import open_store
from tests.projects import Project

KEY = "resnet_lstm_ctc_variable_short"
CHECKPOINT, HISTORY = Path(f"models/{KEY}/seed_42.ckpt"), Path(f"history/{KEY}.csv")


@pytest.fixture
def ready(tracked: Project) -> Project:
    """A project with characters, text and lines, all tiny."""
    tracked.change(training={"trainer": {"accelerator": "cpu", "precision": "32-true"}})
    for stage in (("check",), ("download",), ("corpus",), ("synthesize", "variable")):
        tracked.run(*stage)
    return tracked


def test_training_on_streaming_lines(ready: Project) -> None:
    ready.run("train", KEY)
    written = CHECKPOINT.read_bytes(), HISTORY.read_bytes()
    history = pd.read_csv(HISTORY)
    assert history["step"].tolist() == [2, 4]  # 40 lines an epoch, 20 at a time
    store = open_store()
    (run,) = store.client.search_runs([store.experiment_id], max_results=1)
    assert run.data.params["training.endless.lines_per_epoch"] == "40"
    assert run.data.params["training.endless.variety.warp"] == "0.6"
    assert "on endless lines 'variable'" in run.data.tags["mlflow.note.content"]

    ready.run("train", KEY)
    assert (CHECKPOINT.read_bytes(), HISTORY.read_bytes()) == written
    ready.change(experiments={KEY: {"training": {"endless": {"variety": {"warp": 0.0}}}}})
    ready.run("train", KEY)
    assert CHECKPOINT.read_bytes() != written[0]


def test_without_streaming_the_lines_of_the_data_set_are_used(ready: Project) -> None:
    Path("data/characters.h5").unlink()
    line = ready.refusal("train", KEY)
    assert line.startswith("data/characters.h5: no characters to read (")
    assert line.endswith("; run `dvc repro download`")
    ready.change(experiments={KEY: {"training": {"endless": None}}})
    ready.run("train", KEY)
    assert pd.read_csv(HISTORY)["step"].tolist() == [2, 4]  # the data set has 40 training lines as well


@pytest.mark.parametrize(
    ("endless", "message"),
    [
        ({"lines_per_epoch": 0}, "lines_per_epoch: must be greater than or equal to 1, got 0"),
        ({"variety": {"wrap": 1.0}}, "variety.wrap: unknown; did you mean warp?"),
        (
            {"variety": {"character": {"slant": 2.0}}},
            "variety.character.slant: must be less than or equal to 1, got 2.0",
        ),
        ({"variety": {"noise": "much"}}, "variety.noise: must be a valid number, got 'much'"),
    ],
)
def test_a_faulty_key_is_named(tracked: Project, endless: dict[str, object], message: str) -> None:
    tracked.change(experiments={KEY: {"training": {"endless": endless}}})
    assert tracked.refusal("check") == f"params.yaml: experiments.{KEY}.training.endless.{message}"
