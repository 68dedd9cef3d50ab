import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.common.errors import InputError
from pipeline.common.files import file_md5
from pipeline.tracking.evaluations import Evaluation, find_newest_run, log_evaluation, sync
from pipeline.tracking.registry import Candidate, best_checkpoint, register_best
from pipeline.tracking.start import start_run
from pipeline.tracking.store import Store, open_store
from tests.tracking.conftest import use_root

CopyStore = Callable[[Path, Path], None]


def train(folder: Path) -> str:
    """Start a run with the file `notes.txt`."""
    (folder / "notes.txt").write_text("kept")
    with start_run("key", {}, {}) as run:
        run.log_file(folder / "notes.txt")
    assert not run.gave_up
    return run.id


def notes(run_id: str) -> Path:
    """Where the store finds the file of a run."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    client = open_store().client
    assert Path(client.download_artifacts(run_id, "notes.txt")).read_text() == "kept"
    return Path(local_file_uri_to_path(client.get_run(run_id).info.artifact_uri)) / "notes.txt"


@pytest.fixture
def evaluation(evaluation: Evaluation) -> Evaluation:
    """One whose checkpoint is called as the pipeline does."""
    return replace(evaluation, checkpoint=evaluation.checkpoint.rename(evaluation.checkpoint.with_suffix(".ckpt")))


def use_database(monkeypatch: pytest.MonkeyPatch, database: Path) -> None:
    """Name a database that has no place of its own, as a server of PostgreSQL."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite+pysqlite:///{database}")


def test_a_moved_project_finds_its_artifacts_and_its_best_model(
    root: Path, store: Store, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = train(root)
    log_evaluation(evaluation)
    evaluated = store.client.search_runs([store.experiment_id], "tags.evaluated = 'true'")[0].info.run_id
    assert register_best(store, Candidate(evaluated, "lstm_ctc", "d41d", 0.125))
    moved = root.with_name("moved%20to, 100%")
    root.rename(moved)
    use_root(monkeypatch, moved)

    assert notes(run_id) == moved / f"mlruns/emnist-lines/{run_id}/artifacts/notes.txt"
    assert best_checkpoint().read_text() == "weights"
    assert best_checkpoint().is_relative_to(moved)
    experiment = open_store().client.get_experiment_by_name("emnist-lines")
    assert experiment.artifact_location == (moved / "mlruns/emnist-lines").as_uri()
    moved.rename(root)
    use_root(monkeypatch, root)
    assert notes(run_id).is_relative_to(root)
    assert sync([evaluation]) == {"same": 1}


def test_a_copied_project_uses_its_own_artifacts(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = train(root)
    copy = root.with_name("copy")
    shutil.copytree(root, copy)
    use_root(monkeypatch, copy)
    assert notes(run_id).is_relative_to(copy)
    use_root(monkeypatch, root)
    assert notes(run_id).is_relative_to(root)


def test_projects_that_share_a_sqlite_store_keep_artifacts_beside_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy_store: CopyStore
) -> None:
    shared = tmp_path / "shared"
    copy_store(root, shared / "runs.db")  # An older version kept them in the first project.
    (root / "mlruns/emnist-lines").mkdir(parents=True)
    for project in (root, tmp_path / "second"):
        use_root(monkeypatch, project)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shared}/runs.db")
        assert notes(train(tmp_path)).is_relative_to(shared / "mlruns")


def test_another_database_keeps_artifacts_in_the_project_that_opened_it_first(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = root / ".dvc/tmp/exps/standalone/tmp1"
    temporary.mkdir(parents=True)
    monkeypatch.chdir(temporary)
    use_database(monkeypatch, tmp_path / "runs.db")
    run_id = train(tmp_path)
    assert notes(run_id).is_relative_to(root / "mlruns")
    experiments = open_store().client.search_experiments()
    assert {experiment.artifact_location for experiment in experiments} == {
        f"{root}/mlruns/0",
        f"{root}/mlruns/emnist-lines",
    }

    second = tmp_path / "second"
    use_root(monkeypatch, second)
    use_database(monkeypatch, tmp_path / "runs.db")
    assert notes(train(tmp_path)).is_relative_to(root / "mlruns")

    moved = root.rename(tmp_path / "moved")
    use_root(monkeypatch, moved)
    use_database(monkeypatch, tmp_path / "runs.db")
    assert notes(run_id).is_relative_to(moved / "mlruns")


def test_a_place_in_a_temporary_folder_of_dvc_is_left(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy_store: CopyStore
) -> None:
    copy_store(root / ".dvc/tmp/exps/standalone/tmp1", tmp_path / "runs.db")
    use_database(monkeypatch, tmp_path / "runs.db")
    assert notes(train(tmp_path)).is_relative_to(root / "mlruns")


def test_another_machine_leaves_the_places_in_a_shared_database(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy_store: CopyStore
) -> None:
    copy_store(Path("/on/another/machine"), tmp_path / "runs.db")
    use_database(monkeypatch, tmp_path / "runs.db")
    (experiment,) = (e for e in open_store().client.search_experiments() if e.name == "emnist-lines")
    assert experiment.artifact_location == "/on/another/machine/mlruns/emnist-lines"


def test_a_variable_names_the_place(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", "artifacts")
    run_id = train(tmp_path)
    assert notes(run_id).is_relative_to(root / "artifacts")
    monkeypatch.delenv("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    assert notes(train(tmp_path)).is_relative_to(root / "artifacts")


def test_sync_brings_the_files_of_models_back(root: Path, store: Store, evaluation: Evaluation) -> None:
    import mlflow.pyfunc

    log_evaluation(evaluation)
    run = find_newest_run(store, "lstm_ctc", file_md5(evaluation.checkpoint))
    assert run is not None
    assert register_best(store, Candidate(run.info.run_id, "lstm_ctc", "d41d", 0.125))
    shutil.rmtree(root / "mlruns")
    with pytest.raises(InputError, match=r"its files cannot be read .* run `dvc repro` or `python -m pipeline sync`"):
        best_checkpoint()

    assert sync([evaluation]) == {"filled": 1}
    assert sync([evaluation]) == {"same": 1}
    assert best_checkpoint().read_text() == "weights"
    model = mlflow.pyfunc.load_model("models:/emnist-lines@best")
    assert model.predict(np.full((1, 28, 64), 255, np.uint8)) == ["weights 64"]
    kept = store.client.get_run(run.info.run_id)
    assert len(kept.outputs.model_outputs) == 1
    assert len(store.client.search_runs([store.experiment_id])) == 1
