"""Several seeds of one experiment, through the real stages."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pandas as pd
import pytest

from pipeline.commands.sync import read_trainings
from pipeline.metrics.error_rates import edit_distances
from pipeline.settings.experiment import read_experiment
from pipeline.tracking.evaluations import sync
from pipeline.tracking.store import open_store
from pipeline.training import tracked as tracked_training
from pipeline.training.resume import FOLDER
from tests.projects import Project, write_lines
from tests.tiny import tiny_lines

TEXTS = ["AB", "CCA", "hi B", "A"]
SEEDS = [5, 3, 4]
MODEL = {"name": "line_cnn", "window_width": 16, "window_stride": 8, "conv_dim": 4, "fc_dim": 24}
TRAINING = {
    "seeds": SEEDS,
    "max_epochs": 2,
    "batch_size": 2,
    "learning_rate": 0.005,
    "trainer": {"accelerator": "cpu", "precision": "32-true"},
}
EPOCHS = [(seed, epoch) for seed in SEEDS for epoch in (0, 1)]


@pytest.fixture
def ready(tracked: Project) -> Project:
    """A project with an experiment `own` of three seeds on four short lines."""
    write_lines(tracked.root / "data/lines/own.h5", tiny_lines(TEXTS))
    tracked.params["experiments"] = {"own": {"lines": "own", "loss": "ctc", "model": MODEL, "training": TRAINING}}
    tracked.change()
    return tracked


@pytest.fixture
def new_runs(store_uri: str, project: Project) -> Callable[[], list[tuple[str, str, str]]]:
    """Name, status and seed of the runs since the beginning of the test, oldest first."""
    project.monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri)

    def found() -> list[Any]:
        store = open_store()
        return store.client.search_runs([store.experiment_id], order_by=["start_time ASC"])

    before = {run.info.run_id for run in found()}
    return lambda: [
        (run.info.run_name, run.info.status, run.data.params["seed"])
        for run in found()
        if run.info.run_id not in before
    ]


def seeds_of(project: Project, *seeds: int) -> None:
    project.change(experiments={"own": {"training": {"seeds": list(seeds)}}})


def outputs() -> dict[str, bytes]:
    files = [Path("history/own.csv"), *Path("models/own").iterdir()]
    return {path.as_posix(): path.read_bytes() for path in files}


def interrupted_in(call: int, trained: list[int]) -> Callable[..., object]:
    """A training that is interrupted after its first epoch at the given call; `trained` are the seeds."""
    train = tracked_training.train

    def wrapped(settings: Any, training: Any, *arguments: Any, **named: Any) -> object:
        trained.extend(training.seeds)
        if len(trained) == call:
            *parts, on_epoch, progress, on_predictions = arguments

            def interrupt(epoch: int, row: dict[str, float]) -> None:
                on_epoch(epoch, row)
                if epoch == 1:
                    raise KeyboardInterrupt

            arguments = (*parts, interrupt, progress, on_predictions)
        return train(settings, training, *arguments, **named)

    return wrapped


def test_every_seed_has_its_own_model_and_rows(
    ready: Project, new_runs: Callable[[], list[tuple[str, str, str]]]
) -> None:
    printed = [line for line in ready.run("train", "own").splitlines() if "best of" in line]
    assert [line.split(":")[1] for line in printed] == [f" own (seed {seed})" for seed in SEEDS]
    whole = outputs()
    assert sorted(whole) == ["history/own.csv", *(f"models/own/seed_{seed}.ckpt" for seed in sorted(SEEDS))]
    assert len(set(whole.values())) == 4
    history = pd.read_csv("history/own.csv")
    assert history.columns[0] == "seed"
    assert list(zip(history["seed"], history["epoch"], strict=True)) == EPOCHS
    assert len(set(history["val_loss"])) == 6
    assert new_runs() == [(f"own (seed {seed})", "FINISHED", str(seed)) for seed in SEEDS]
    timing = json.loads(Path("timings/own_train.json").read_text())
    assert list(timing["by_seed"]) == [str(seed) for seed in SEEDS]
    assert timing["precision"] == "32-true"
    assert not [path for path in (ready.root / FOLDER).iterdir() if path.is_dir()]

    # A seed's training is the same in any company, and what is not in the settings any more does not stay.
    seeds_of(ready, 4)
    assert "train: own: best of 2 epochs" in ready.run("train", "own")
    assert sorted(outputs()) == ["history/own.csv", "models/own/seed_4.ckpt"]
    assert outputs()["models/own/seed_4.ckpt"] == whole["models/own/seed_4.ckpt"]
    pd.testing.assert_frame_equal(
        pd.read_csv("history/own.csv"),
        history[history["seed"] == 4].reset_index(drop=True),
        check_exact=True,
        check_dtype=False,
    )
    assert new_runs()[3:] == [("own", "FINISHED", "4")]


def test_seeds_that_are_trained_are_kept_after_an_interruption(
    ready: Project, new_runs: Callable[[], list[tuple[str, str, str]]]
) -> None:
    ready.run("train", "own")
    whole = outputs()
    Path("history/own.csv").unlink()
    trained: list[int] = []
    with ready.monkeypatch.context() as monkeypatch:
        monkeypatch.setattr(tracked_training, "train", interrupted_in(2, trained))
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            ready.run("train", "own")
    assert trained == SEEDS[:2]
    assert not Path("history/own.csv").exists()
    assert [status for _, status, _ in new_runs()[3:]] == ["FINISHED", "KILLED"]
    with ready.monkeypatch.context() as monkeypatch:
        monkeypatch.setattr(tracked_training, "train", interrupted_in(0, trained))
        seeds_of(ready, 9, *SEEDS)  # what is done is known by its seed, not by its place
        ready.run("train", "own")
    assert trained == [*SEEDS[:2], 9, *SEEDS[1:]]
    assert whole.items() - outputs().items() == {("history/own.csv", whole["history/own.csv"])}
    history = pd.read_csv("history/own.csv").query("seed != 9")
    assert history.to_csv(index=False, float_format="%.8g").encode() == whole["history/own.csv"]
    assert sorted(new_runs()[3:]) == sorted((f"own (seed {seed})", "FINISHED", str(seed)) for seed in (9, *SEEDS))


def test_metrics_are_means_over_the_models(ready: Project, new_runs: Callable[[], list[tuple[str, str, str]]]) -> None:
    ready.run("train", "own")
    printed = ready.run("evaluate", "own")
    metrics = json.loads(Path("metrics/own.json").read_text())
    table = pd.read_csv("predictions/own.csv", keep_default_na=False, dtype={"prediction": str})
    assert list(table.columns)[:2] == ["seed", "line"]
    rates = []
    for seed in SEEDS:
        rows = table[table["seed"] == seed]
        assert rows["text"].tolist() == TEXTS
        assert rows["edits"].tolist() == edit_distances(rows["prediction"].tolist(), TEXTS).tolist()
        rates.append(rows["edits"].sum() / sum(map(len, TEXTS)))
        assert metrics["by_seed"][str(seed)]["test_cer"] == pytest.approx(rates[-1])
    assert metrics["test_cer"] == pytest.approx(fmean(rates))
    assert metrics["test_cer_std"] == pytest.approx(stdev(rates))
    assert metrics["seeds"] == 3
    assert f"CER {metrics['test_cer']:.2%} ± {metrics['test_cer_std']:.2%} (3 seeds)" in printed
    assert list(json.loads(Path("timings/own_evaluate.json").read_text())["by_seed"]) == [str(seed) for seed in SEEDS]

    assert len(new_runs()) == 3  # each joined the run of its training
    store = open_store()
    runs = store.client.search_runs([store.experiment_id], max_results=3)
    for run in runs:
        assert run.data.metrics["test_cer"] == pytest.approx(rates[SEEDS.index(int(run.data.tags["seed"]))])
        assert {"training_seconds", "test_lines_per_second"} <= set(run.data.metrics)
        assert "test_cer_std" not in run.data.metrics
    for run in store.client.search_runs([store.experiment_id], "tags.experiment_key = 'own'"):
        store.client.delete_run(run.info.run_id)  # those of other tests too, whose models are the same
    assert sync(read_trainings("own")) == {"made": 3}
    rebuilt = store.client.search_runs([store.experiment_id], max_results=3)
    assert sorted(run.info.run_name for run in rebuilt) == sorted(run.info.run_name for run in runs)
    kept = {run.data.tags["seed"]: run.data for run in runs}
    for run in rebuilt:
        assert run.data.metrics == pytest.approx(kept[run.data.tags["seed"]].metrics, rel=1e-6)
        assert run.data.params == kept[run.data.tags["seed"]].params
        assert len(store.client.get_metric_history(run.info.run_id, "val_cer")) == 2


def test_the_reports_show_mean_and_deviation(ready: Project) -> None:
    for name in ("train", "evaluate"):
        ready.run(name, "own")
    ready.run("compare")
    metrics = json.loads(Path("metrics/own.json").read_text())
    (row,) = pd.read_csv("reports/comparison.csv").to_dict("records")
    assert row["seeds"] == 3
    assert (row["test_cer"], row["test_cer_std"]) == pytest.approx(
        (metrics["test_cer"], metrics["test_cer_std"]), abs=1e-6
    )
    mean, deviation = (f"{metrics[name] * 100:.2f}" for name in ("test_cer", "test_cer_std"))
    assert f"| {mean} ± {deviation} % (3 seeds; " in Path("reports/comparison.md").read_text()
    page = Path("reports/index.html").read_text()
    assert f"{mean} ± {deviation}\N{NO-BREAK SPACE}%<br>" in page
    assert ", 3 seeds</small>" in page
    assert page.count("this section shows the model of the first seed") == 3
    assert "seed 42." in page  # of the section `training`; this experiment has its own


def test_a_seed_without_a_checkpoint_is_refused_in_one_line(ready: Project) -> None:
    seeds_of(ready, 3, 4)
    ready.run("train", "own")
    Path("models/own/seed_4.ckpt").unlink()
    assert ready.refusal("evaluate", "own") == (
        "models/own/seed_4.ckpt: no such checkpoint; `dvc repro train` makes them"
    )
    assert not Path("predictions").exists()


def test_the_old_key_is_refused_with_the_new_one(ready: Project) -> None:
    ready.change(experiments={"own": {"training": {"seed": 5}}})
    line = ready.refusal("train", "own")
    assert "experiments.own.training.seed: unknown; did you mean seeds?" in line


def test_an_experiments_own_seeds_override_those_of_training(ready: Project) -> None:
    ready.change(training={"seeds": [7, 8]})
    assert read_experiment("own")[1].seeds == SEEDS
    del ready.params["experiments"]["own"]["training"]["seeds"]
    ready.change()
    assert read_experiment("own")[1].seeds == [7, 8]
