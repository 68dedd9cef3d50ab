"""Stores that do not answer, that are named wrongly, or whose driver is missing."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.common.errors import InputError
from pipeline.tracking import run as run_module
from pipeline.tracking.evaluations import Evaluation, log_evaluation, sync
from pipeline.tracking.start import start_run
from pipeline.tracking.store import Store, open_store
from pipeline.tracking.store_errors import StoreUnreachableError, first_line, is_unreachable, mask
from tests.web import Web
from tests.web import status as answer

PASSWORD = "s3cret"


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(run_module, "LAST_SECONDS", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("postgresql://user:s3cret@host/db", "postgresql://user:***@host/db"),
        ("mysql+pymysql://user:s3/c:r?e#t@host:3306/db", "mysql+pymysql://user:***@host:3306/db"),
        ("postgresql://user:s3cr@et@host/db", "postgresql://user:***@host/db"),
        ("https://:s3cret@host", "https://:***@host"),
        ("https://s3cret@host/path", "https://***@host/path"),
        ("postgresql://host/db?user=me&password=s3cret&x=1", "postgresql://host/db?user=me&password=***&x=1"),
        ("http://host/?access_token=s3cret", "http://host/?access_token=***"),
        ("no route to http://a:s3cret@b/c (http://a:s3cret@b)", "no route to http://a:***@b/c (http://a:***@b)"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("sqlite:////home/me/a:b@c/mlflow.db", "sqlite:////home/me/a:b@c/mlflow.db"),
        ("models:/emnist-lines@best", "models:/emnist-lines@best"),
    ],
)
def test_passwords_are_masked_and_nothing_else(address: str, masked: str) -> None:
    assert mask(address) == masked


def test_a_long_message_ends_with_a_whole_word() -> None:
    shortened = first_line(ValueError("word " * 100 + "\nsecond line"))
    assert shortened == "word " * 59 + "…"


def refused(monkeypatch: pytest.MonkeyPatch, address: str) -> str:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(StoreUnreachableError) as error:
        open_store()
    return str(error.value)


@pytest.mark.usefixtures("root", "quick")
def test_a_server_that_does_not_answer_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, web: Web) -> None:
    advice = "start it, or correct or unset MLFLOW_TRACKING_URI"
    port = unused_port()
    assert refused(monkeypatch, f"http://me:{PASSWORD}@127.0.0.1:{port}") == (
        f"MLflow store http://me:***@127.0.0.1:{port} does not answer ([Errno 111] Connection refused); {advice}"
    )
    with silent_server() as port:
        address = f"http://127.0.0.1:{port}"
        assert refused(monkeypatch, address) == f"MLflow store {address} does not answer (timed out); {advice}"

    web.serve("/api/2.0/mlflow/experiments/get-by-name?experiment_name=emnist-lines", answer(500, b"oops"))
    message = f"MLflow store {web.address} does not answer (too many 500 error responses); {advice}"
    assert refused(monkeypatch, web.address) == message


@pytest.mark.usefixtures("root", "quick")
def test_work_goes_on_without_a_store(
    monkeypatch: pytest.MonkeyPatch, evaluation: Evaluation, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{PASSWORD}@127.0.0.1:{unused_port()}")
    with start_run("key", {}, {}) as run:
        run.log_epoch(0, {"loss": 1.0})
        run.log_file(evaluation.checkpoint)
        run.mark_complete("abc")
    assert run.id == ""
    log_evaluation(evaluation, evaluation)
    out, err = capfd.readouterr()
    assert out == ""
    first, *lines = err.splitlines()
    assert first.startswith("warning: MLflow store http://me:***@127.0.0.1:")
    assert first.endswith("; the work goes on, and what it logs waits")
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("warning: MLflow did not keep this run (MLflow store http://me:***@127.0.0.1:")
        assert line.endswith("; the work goes on, `python -m pipeline sync` adds it later")
    with pytest.raises(InputError, match="does not answer"):
        sync([evaluation])


@pytest.mark.usefixtures("root", "quick")
def test_a_server_that_fails_in_the_middle_is_named(
    monkeypatch: pytest.MonkeyPatch, store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    with start_run("key", {}, {}) as run:
        gone = MlflowClient(f"http://me:{PASSWORD}@127.0.0.1:{unused_port()}")
        monkeypatch.setattr(run, "_store", Store("http://me:***@host", gone, store.experiment_id))
        run.log_epoch(0, {"loss": 1.0})
        run.log_epoch(1, {"loss": 1.0})
    waits, given_up = capfd.readouterr().err.splitlines()
    reason = "does not answer ([Errno 111] Connection refused)"
    assert waits == f"warning: MLflow {reason}; the work goes on, and what it logs waits"
    assert f"(MLflow store http://me:***@host {reason}; start it" in given_up


def test_a_server_of_something_else_stops_the_work(
    root: None, quick: None, monkeypatch: pytest.MonkeyPatch, web: Web
) -> None:
    path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=emnist-lines"
    web.serve(path, answer(404, b"<html>"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", web.address)
    with pytest.raises(InputError, match=r"cannot be used .* 404 .*; correct or unset MLFLOW_TRACKING_URI"):
        start_run("key", {}, {})


@pytest.mark.usefixtures("root")
def test_a_database_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(_seconds: float) -> None:
        raise AssertionError("MLflow tries again")

    open_store()  # Importing MLflow may sleep.
    monkeypatch.setattr(time, "sleep", sleep)
    message = refused(monkeypatch, "sqlite+pysqlite:////nowhere/at/all.db")
    assert message.startswith("MLflow store sqlite+pysqlite:////nowhere/at/all.db does not answer (unable to open")


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("scheme", "module", "package"),
    [
        ("postgresql", "psycopg", "'psycopg[binary]'"),
        ("postgresql+psycopg2", "psycopg2", "psycopg2-binary"),
        ("mysql+pymysql", "pymysql", "pymysql"),
    ],
)
def test_a_missing_driver_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, scheme: str, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}://me:{PASSWORD}@host/db")
    with pytest.raises(InputError) as error:
        start_run("key", {}, {})
    assert str(error.value) == (
        f"MLflow store {scheme}://me:***@host/db: the package {module} is missing; "
        f"install it with `python -m pip install {package}`"
    )


def test_a_store_in_use_is_not_to_be_moved_away(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.tracking import store

    monkeypatch.setattr(store, "_LOCK_SECONDS", 0)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with store._lock(store.Path(store.tracking_uri().removeprefix("sqlite:///"))):
            held.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    try:
        with pytest.raises(StoreUnreachableError, match=r"mlflow\.db is in use by another process"):
            open_store()
    finally:
        release.set()
        thread.join()


def test_limits_that_the_user_sets_stay(monkeypatch: pytest.MonkeyPatch, root: None) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    open_store()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    # MLflow would print the server's address with its password.
    assert os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] == "true"


@pytest.mark.parametrize(
    ("says", "passing"),
    [
        ("FATAL:  the database system is starting up", True),
        ("FATAL:  terminating connection due to administrator command", True),
        ("FATAL:  sorry, too many clients already", True),
        ("server closed the connection unexpectedly", True),
        ('FATAL:  password authentication failed for user "me"', False),
        ('FATAL:  database "runs" does not exist', False),
        ("no such table: metrics", False),
    ],
)
def test_a_database_that_restarts_is_waited_for(says: str, passing: bool) -> None:
    from sqlalchemy.exc import OperationalError

    assert is_unreachable(OperationalError("SELECT 1", {}, Exception(says))) == passing
