import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.tracking.start import start_run
from pipeline.tracking.store import Store, open_store, tracking_uri
from tests.tracking.conftest import change, python_environment, use_root

ONE_RUN = """
from pipeline.tracking.start import start_run
with start_run("key", {"a": 1}, {}) as run:
    run.log_epoch(0, {"loss": 1.0})
"""


def test_processes_that_create_the_store_at_once_all_write_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    command = [sys.executable, "-c", ONE_RUN]
    processes = [
        subprocess.Popen(command, env=python_environment(root), stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    errors = [process.communicate()[1] for process in processes]

    assert [process.returncode for process in processes] == [0] * 2, errors
    assert errors == [""] * 2
    use_root(monkeypatch, root)
    store = open_store()
    experiments = store.client.search_experiments()
    places = {experiment.name: experiment.artifact_location for experiment in experiments}
    assert places == {"Default": f"{root}/mlruns/0", "emnist-lines": f"{root}/mlruns/emnist-lines"}
    runs = store.client.search_runs([store.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    assert all(run.data.metrics == {"loss": 1.0} for run in runs)
    assert sorted(path.name for path in root.iterdir()) == [".training", "mlflow.db", "mlflow.db.lock"]
    assert not list((root / ".training").iterdir())


def test_artifacts_of_a_temporary_run_lie_in_the_main_root(root: Path, store: Store) -> None:
    with start_run("key", {}, {}) as run:
        (root / "notes.txt").write_text("kept")
        run.log_file(root / "notes.txt")

    assert (root / f"mlruns/emnist-lines/{run.id}/artifacts/notes.txt").read_text() == "kept"
    assert list(Path.cwd().iterdir()) == []


def test_a_relative_uri_starts_from_the_root(
    root: Path, monkeypatch: pytest.MonkeyPatch, copy_store: Callable[[Path, Path], None]
) -> None:
    copy_store(root, root / "stores" / "runs.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///stores/runs.db")

    with start_run("key", {}, {}) as run:
        pass

    store = open_store()
    assert store.address == f"sqlite:///{root}/stores/runs.db"
    assert store.client.get_run(run.id).info.status == "FINISHED"


@pytest.mark.parametrize("uri", ["sqlite:////absolute/runs.db", "http://localhost:5000"])
def test_other_uris_stay_as_they_are(root: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking_uri() == uri


def test_a_store_of_a_newer_mlflow_is_named_with_what_to_do(root: Path) -> None:
    change(root / "mlflow.db", "UPDATE alembic_version SET version_num = 'f4a9b2c7d1e6'")
    with pytest.raises(InputError, match=r"mlflow\.db was written by another .* run `python -m pipeline sync`"):
        open_store()


def test_a_store_that_cannot_even_be_upgraded_is_named_the_same(root: Path) -> None:
    change(root / "mlflow.db", "UPDATE alembic_version SET version_num = 'f4a9b2c7d1e6'")
    change(root / "mlflow.db", "DROP TABLE trace_tags")
    with pytest.raises(InputError, match="written by another version of MLflow; move it away"):
        open_store()


def test_no_training_starts_on_a_file_that_is_no_store(root: Path) -> None:
    (root / "mlflow.db").write_text("this is no database, but it is long enough to be read as one" * 99)
    started = False
    unusable = pytest.raises(InputError, match=r"cannot be used as MLflow store \(file is not a database\)")
    with unusable, start_run("key", {}, {}):
        started = True
    assert not started


def test_a_deleted_experiment_comes_back(store: Store) -> None:
    store.client.delete_experiment(store.experiment_id)
    with start_run("key", {}, {}) as run:
        pass
    assert store.client.get_run(run.id).info.status == "FINISHED"


def test_the_environment_names_the_experiment(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    mine = open_store()
    experiment = mine.client.get_experiment(mine.experiment_id)
    assert mine.experiment_id != store.experiment_id
    assert (experiment.name, experiment.artifact_location) == ("mine", str(root / "mlruns/mine"))
    assert open_store().experiment_id == mine.experiment_id


def test_mlflow_sends_no_telemetry(store: Store) -> None:
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_mlflow_is_not_imported_before_a_store_is_opened() -> None:
    code = "import sys, pipeline.tracking; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env=python_environment(Path("unused")), check=True)
