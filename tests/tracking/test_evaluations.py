import dataclasses
import time
from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.common.files import file_md5
from pipeline.tracking.evaluations import Evaluation, log_evaluation, sync
from pipeline.tracking.start import start_run
from pipeline.tracking.store import Store


def train(evaluation: Evaluation) -> str:
    with start_run(evaluation.experiment_key, evaluation.settings, evaluation.tags) as run:
        run.log_epoch(0, {"train_loss": 2.5})
        run.mark_complete(file_md5(evaluation.checkpoint))
    return run.id


def run_ids(store: Store) -> set[str]:
    return {run.info.run_id for run in store.client.search_runs([store.experiment_id])}


def test_an_evaluation_joins_the_run_of_its_training(store: Store, evaluation: Evaluation) -> None:
    run_id = train(evaluation)
    log_evaluation(evaluation)

    assert run_ids(store) == {run_id}
    run = store.client.get_run(run_id)
    assert run.data.metrics == {"train_loss": 2.5, "test_cer": 0.125, "test_wer": 0.5}
    assert {"source": "train", "evaluated": "true"}.items() <= run.data.tags.items()
    assert run.info.status == "FINISHED"
    assert [file.path for file in store.client.list_artifacts(run_id)] == ["worst.png"]


def test_the_newest_of_equal_trainings_is_evaluated(store: Store, evaluation: Evaluation) -> None:
    older = train(evaluation)
    time.sleep(0.01)  # MLflow's start times are whole milliseconds.
    newer = train(evaluation)
    log_evaluation(evaluation)
    assert "test_cer" in store.client.get_run(newer).data.metrics
    assert "test_cer" not in store.client.get_run(older).data.metrics


def test_an_evaluation_without_a_run_is_rebuilt_whole(
    store: Store, evaluation: Evaluation, capfd: pytest.CaptureFixture[str]
) -> None:
    log_evaluation(evaluation)

    assert capfd.readouterr().err == ""
    (run_id,) = run_ids(store)
    run = store.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "lstm_ctc"
    assert run.data.params == {"model.name": "line_cnn_lstm", "loss": "ctc"}
    expected = {
        "source": "backfill",
        "experiment_key": "lstm_ctc",
        "model_md5": file_md5(evaluation.checkpoint),
        "data_md5": "d41d",
        "evaluated": "true",
        "mlflow.note.content": "An LSTM over a CNN.",
    }
    assert expected.items() <= run.data.tags.items()
    assert "git.commit" not in run.data.tags
    assert run.data.metrics == {"train_loss": 1.5, "val_cer": 0.25, "test_cer": 0.125, "test_wer": 0.5}
    losses = store.client.get_metric_history(run_id, "train_loss")
    assert [(metric.step, metric.value) for metric in losses] == [(0, 2.5), (1, 1.5)]
    errors = store.client.get_metric_history(run_id, "val_cer")
    assert [(metric.step, metric.value) for metric in errors] == [(1, 0.25)]
    assert len(run.outputs.model_outputs) == 1


def test_the_same_evaluation_is_logged_once(store: Store, evaluation: Evaluation) -> None:
    run_id = train(evaluation)
    for _ in range(3):
        log_evaluation(evaluation)
    assert run_ids(store) == {run_id}
    assert len(store.client.get_metric_history(run_id, "test_cer")) == 1


def test_other_results_of_the_same_model_replace_the_old_ones(store: Store, evaluation: Evaluation) -> None:
    run_id = train(evaluation)
    log_evaluation(evaluation)
    log_evaluation(dataclasses.replace(evaluation, metrics={"cer": 0.0625, "wer": 0.5}))
    assert store.client.get_run(run_id).data.metrics["test_cer"] == 0.0625
    assert len(store.client.get_metric_history(run_id, "test_wer")) == 1


def test_an_experiment_does_not_join_the_equal_model_of_another(store: Store, evaluation: Evaluation) -> None:
    other = train(dataclasses.replace(evaluation, experiment_key="twin"))
    log_evaluation(evaluation)
    assert "test_cer" not in store.client.get_run(other).data.metrics
    assert len(run_ids(store)) == 2


def test_sync_makes_fills_and_then_changes_nothing(
    store: Store, evaluation: Evaluation, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = dataclasses.replace(evaluation, experiment_key="trained")
    not_evaluated = dataclasses.replace(evaluation, experiment_key="not_evaluated", metrics={})
    run_id = train(trained)

    first = sync([evaluation, trained, not_evaluated])
    assert first == {"made": 2, "filled": 1}
    assert "test_cer" in store.client.get_run(run_id).data.metrics
    ids = run_ids(store)
    second = sync([evaluation, trained, not_evaluated])

    assert second == {"same": 3}
    assert run_ids(store) == ids
    assert capsys.readouterr().out == "made 2 filled 1 same 0\nmade 0 filled 0 same 3\n"


def test_sync_replaces_a_training_that_was_interrupted(store: Store, evaluation: Evaluation) -> None:
    with pytest.raises(KeyboardInterrupt), start_run(evaluation.experiment_key, {}, {}):
        raise KeyboardInterrupt
    assert sync([evaluation]) == {"made": 1}
    assert sync([evaluation]) == {"same": 1}


def test_a_rebuilding_that_fails_is_not_taken_for_a_run(store: Store, evaluation: Evaluation) -> None:
    missing = dataclasses.replace(evaluation, pictures=[])
    evaluation.history.write_text("step,train_loss\n0,2.5\n")
    with pytest.raises(InputError, match=r"history\.csv: needs the column `epoch`"):
        sync([missing])
    assert run_ids(store) == set()


def test_an_evaluation_survives_a_broken_store(
    root: Path, evaluation: Evaluation, capfd: pytest.CaptureFixture[str]
) -> None:
    (root / "mlflow.db").write_text("no database" * 999)
    log_evaluation(evaluation)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow did not keep this run")
    with pytest.raises(InputError, match="cannot be used as MLflow store"):
        sync([evaluation])
