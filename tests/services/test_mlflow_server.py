"""One MLflow server for all: its database restarts and is cut off while many trainings log."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.common.files import file_md5
from pipeline.tracking import run as run_module
from pipeline.tracking.artifacts import sqlite_uri
from pipeline.tracking.comparisons import Comparison, Member, log_comparison
from pipeline.tracking.evaluations import Evaluation, find_newest_run, sync
from pipeline.tracking.registry import best_checkpoint
from pipeline.tracking.start import start_run
from pipeline.tracking.store import Store, open_store
from tests.services.mlflow_server import mlflow_server
from tests.services.postgres import PASSWORD, Network, Postgres
from tests.services.remotes import Remote
from tests.services.trainings import BEST, LATE, checkpoint
from tests.tracking.conftest import copy_store, python_environment, use_root

__all__ = ["copy_store"]

pytestmark = pytest.mark.services
TRAININGS = 16
LIMITS = "?connect_timeout=3&tcp_user_timeout=3000"
WAIT = 300


@pytest.fixture(scope="module")
def server(postgres: Postgres, network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    postgres.create_database("runs")
    artifacts = tmp_path_factory.mktemp("artifacts")
    with mlflow_server(postgres.address("runs", network.port) + LIMITS, str(artifacts), workers=2) as address:
        yield address


@pytest.fixture
def environment(
    server: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The environment of this process, the driver, and of trainings in other projects."""
    use_root(monkeypatch, tmp_path / "driver")
    variables = worker_environment(server) | {"MLFLOW_EXPERIMENT_NAME": request.node.name}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # MLflow warns about its own code while it is imported.
    return {**python_environment(tmp_path), **variables, "PYTHONWARNINGS": "default"}


def worker_environment(server: str) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": server, "MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "NO_PROXY": "127.0.0.1"}


def epochs(folder: Path, number: int) -> int:
    file = folder / str(number) / "epochs"
    return int(file.read_text() or 0) if file.exists() else 0


def wait_for_epochs(folder: Path, more: int, count: int) -> None:
    """Wait until each of the first `count` trainings has logged so many more epochs."""
    before = [epochs(folder, number) for number in range(count)]
    deadline = time.monotonic() + WAIT
    while any(epochs(folder, number) < before[number] + more for number in range(count)):
        assert time.monotonic() < deadline, [epochs(folder, number) for number in range(count)]
        time.sleep(0.2)


def test_trainings_outlast_a_restart_and_a_cut_of_the_database(
    environment: dict[str, str], postgres: Postgres, network: Network, tmp_path: Path
) -> None:
    folder, early = tmp_path / "trainings", TRAININGS - LATE
    folder.mkdir()
    (folder / "model").touch()
    command = [sys.executable, "-m", "tests.services.trainings", str(folder), str(TRAININGS)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as trainings:
        try:
            wait_for_epochs(folder, 1, early)
            postgres.stop()
            (folder / "late").touch()
            wait_for_epochs(folder, 1, TRAININGS)
            postgres.start()
            wait_for_epochs(folder, 1, TRAININGS)
            network.cut()
            wait_for_epochs(folder, 1, TRAININGS)
        finally:
            network.mend()
            (folder / "end").touch()
            _, errors = trainings.communicate(timeout=WAIT)
    assert trainings.returncode == 0, errors
    assert "did not keep" not in errors
    assert "Traceback" not in errors
    assert PASSWORD not in errors

    store = open_store()
    runs = {run.data.tags["experiment_key"]: run for run in store.client.search_runs([store.experiment_id])}
    assert len(runs) == TRAININGS
    for number in range(TRAININGS):
        run = runs[f"experiment_{number}"]
        assert run.info.run_id == (folder / str(number) / "id").read_text()
        assert run.info.status == "FINISHED"
        assert run.data.params == {"number": str(number)}
        points = store.client.get_metric_history(run.info.run_id, "val_cer")
        assert [point.step for point in points] == list(range(epochs(folder, number)))
        assert [file.path for file in store.client.list_artifacts(run.info.run_id)] == ["model.ckpt"]
    check_links(store, folder)


def check_links(store: Store, folder: Path) -> None:
    """The comparison links to the runs, and the registry to the best one's model, behind the server."""
    for number in range(BEST + 1):  # what evaluations find runs by
        found = find_newest_run(store, f"experiment_{number}", f"model_{number}")
        assert found
        store.client.set_tag(found.info.run_id, "model_md5", file_md5(checkpoint(folder, number)))
    members = [
        Member(f"experiment_{number}", [checkpoint(folder, number)], "own", "md5", 1 / (1 + number))
        for number in range(BEST + 1)
    ]
    comparison = Comparison(members, [])
    log_comparison(comparison)
    (compared,) = store.client.search_runs([store.experiment_id], "tags.source = 'compare'")
    for number in range(BEST + 1):
        assert compared.data.tags[f"runs.experiment_{number}"] == (folder / str(number) / "id").read_text()
    assert best_checkpoint().read_bytes() == checkpoint(folder, BEST).read_bytes()


@pytest.mark.usefixtures("environment")
def test_sync_brings_the_runs_that_the_server_never_took(
    postgres: Postgres, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    store = open_store()
    monkeypatch.setattr(run_module, "LAST_SECONDS", 0)
    with start_run(evaluation.experiment_key, {}, {}) as run:
        run.log_epoch(0, {"val_cer": 0.5})
        postgres.stop()
        run.mark_complete(file_md5(evaluation.checkpoint))
    postgres.start()
    assert "MLflow did not keep this run" in capfd.readouterr().err
    assert sync([evaluation]) == {"made": 1}
    assert sync([evaluation]) == {"same": 1}
    assert store.client.get_run(run.id).info.status == "KILLED"
    rebuilt = find_newest_run(store, evaluation.experiment_key, file_md5(evaluation.checkpoint))
    assert rebuilt
    assert rebuilt.info.run_id != run.id
    assert rebuilt.data.metrics["test_cer"] == 0.125


def test_trainings_without_a_server_create_the_tables_at_once(
    environment: dict[str, str], postgres: Postgres, tmp_path: Path
) -> None:
    postgres.create_database("direct")
    (tmp_path / "late").touch()
    (tmp_path / "end").touch()
    command = [sys.executable, "-m", "tests.services.trainings", str(tmp_path), "4"]
    direct = {
        "MLFLOW_TRACKING_URI": postgres.address("direct"),
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": str(tmp_path / "files"),
    }
    subprocess.run(command, env={**environment, **direct}, check=True, timeout=WAIT)
    ids = [(tmp_path / str(number) / "id").read_text() for number in range(4)]
    assert len(set(ids)) == 4
    assert all(list((tmp_path / "files").glob(f"*/{run_id}/artifacts/model.ckpt")) for run_id in ids)


def test_files_go_through_the_server_to_s3(
    s3: Remote, copy_store: Callable[[Path, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the server has the keys."""
    copy_store(tmp_path, tmp_path / "server.db")
    keys = {"AWS_ACCESS_KEY_ID": s3.options["access_key_id"], "AWS_SECRET_ACCESS_KEY": s3.options["secret_access_key"]}
    keys |= {"MLFLOW_S3_ENDPOINT_URL": s3.options["endpointurl"], "AWS_DEFAULT_REGION": "us-east-1"}
    database = sqlite_uri(tmp_path / "server.db")
    with mlflow_server(database, f"{s3.url}/mlflow", **keys) as address:
        use_root(monkeypatch, tmp_path / "driver")
        for name, value in worker_environment(address).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "in S3")
        (tmp_path / "notes.txt").write_text("kept")
        with start_run("key", {}, {}) as run:
            run.log_file(tmp_path / "notes.txt")
        assert Path(open_store().client.download_artifacts(run.id, "notes.txt")).read_text() == "kept"
    (kept,) = s3.files("mlflow")
    assert (kept.name, kept.read_text(), run.id in kept.parts) == ("notes.txt", "kept", True)
