"""MLflow's store after the first run, and after it was lost."""

import shutil
import sys

import pandas as pd
import pytest

from pipeline.common.files import file_md5
from pipeline.settings.base import read_params
from tests.end_to_end.workspace import EPOCHS, KEYS, Workspace, assert_whole_run, stages_run


def test_mlflow_has_a_whole_run_of_every_experiment(first: Workspace) -> None:
    found = first.runs()
    assert sorted(found[run_id].info.run_name for run_id in first.tracked) == sorted(KEYS)
    runs = {found[run_id].info.run_name: found[run_id] for run_id in first.tracked}
    experiments = read_params(first.root / "params.yaml")["experiments"]
    for key, run in runs.items():
        experiment = experiments[key]
        tags = {
            "experiment_key": key,
            "model": experiment["model"]["name"],
            "loss": experiment["loss"],
            "lines": experiment["lines"],
            "data": "built-in glyphs, not EMNIST",
            "data_md5": file_md5(first.root / f"data/lines/{experiment['lines']}.h5"),
            "model_md5": file_md5(first.root / f"models/{key}/seed_42.ckpt"),
            "dvc.stage": f"train@{key}",
            "git.commit": first.git("rev-parse", "HEAD~1").strip(),
        }
        assert tags.items() <= run.data.tags.items()
        params = {
            "model.conv_dim": "4",
            "training.max_epochs": str(EPOCHS),
            "training.trainer.devices": "1",
            "load": "null",
        }
        assert params.items() <= run.data.params.items()
        measured = {name: value for name, value in first.metrics(key).items() if name.startswith("test_")}
        assert measured
        assert measured.items() <= run.data.metrics.items()
        assert_whole_run(first, run)


@pytest.mark.parametrize("key", KEYS)
def test_mlflow_has_the_history_by_epoch(first: Workspace, key: str) -> None:
    history = pd.read_csv(first.root / f"history/{key}.csv")
    assert history["epoch"].tolist() == list(range(EPOCHS))
    found, client = first.runs(), first.client()
    (run_id,) = [run_id for run_id in first.tracked if found[run_id].info.run_name == key]
    for name in ("train_loss", "val_loss", "val_cer", "learning_rate"):
        points = [(metric.step, metric.value) for metric in client.get_metric_history(run_id, name)]
        assert [step for step, _ in points] == list(range(EPOCHS))
        assert [value for _, value in points] == pytest.approx(history[name].tolist(), rel=1e-6)


def test_a_lost_store_is_rebuilt_from_what_dvc_keeps(workspace: Workspace) -> None:
    trained = {run.info.run_name: run for run_id, run in workspace.runs().items() if run_id in workspace.tracked}
    for path in workspace.root.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(workspace.root / "mlruns")
    output = workspace.dvc("repro")
    assert stages_run(output) == []
    assert "Data and pipelines are up to date." in output
    assert not (workspace.root / "mlflow.db").exists()

    sync = (sys.executable, "-m", "pipeline", "sync")
    assert workspace.run(*sync).stdout == f"made {len(KEYS)} filled 0 same 0\n"
    # MLflow in this process still has the lost file open, so it gets a copy of the new one.
    copy = shutil.copy(workspace.root / "mlflow.db", workspace.root / "rebuilt.db")
    rebuilt = {run.info.run_name: run for run in workspace.runs(copy).values()}
    assert rebuilt.keys() == trained.keys()
    for key, run in rebuilt.items():
        assert run.data.params == trained[key].data.params
        assert run.data.metrics == pytest.approx(trained[key].data.metrics, rel=1e-6)
        for tag in ("model", "loss", "lines", "data", "data_md5", "model_md5", "experiment_key"):
            assert run.data.tags[tag] == trained[key].data.tags[tag]
        assert run.data.tags["source"] == "backfill"
        assert_whole_run(workspace, run, artifacts=(), database=copy)
    copy.unlink()
    assert workspace.run(*sync).stdout == f"made 0 filled 0 same {len(KEYS)}\n"
