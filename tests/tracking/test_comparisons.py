import dataclasses
from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.common.files import file_md5
from pipeline.tracking.comparisons import Comparison, Member, best_member, log_comparison, sync_comparison
from pipeline.tracking.evaluations import Evaluation, find_newest_run, log_evaluation
from pipeline.tracking.registry import ALIAS, best_checkpoint
from pipeline.tracking.store import EXPERIMENT, Store


def member(key: str, cer: float, lines: str = "variable", data_md5: str = "d41d", checkpoint: Path = Path()) -> Member:
    return Member(key, [checkpoint], lines, data_md5, cer)


@pytest.fixture
def comparison(evaluation: Evaluation, tmp_path: Path) -> Comparison:
    """A comparison of two experiments that were trained and evaluated; `lstm_ctc` is the better one."""
    members = []
    for key, cer in (("cnn_ce", 0.5), ("lstm_ctc", 0.125)):
        checkpoint = tmp_path / "outputs" / f"{key}.ckpt"
        checkpoint.write_text(f"weights of {key}")
        log_evaluation(
            dataclasses.replace(
                evaluation, experiment_key=key, checkpoint=checkpoint, metrics={"cer": cer}, pictures=[]
            )
        )
        members.append(member(key, cer, checkpoint=checkpoint))
    (tmp_path / "comparison.csv").write_text("experiment,test_cer\n")
    (tmp_path / "index.html").write_text("<p>first</p>")
    files = [tmp_path / "comparison.csv", tmp_path / "index.html"]
    return Comparison(members, files)


def runs(store: Store, source: str = "compare") -> list[str]:
    found = store.client.search_runs([store.experiment_id], f"tags.source = '{source}'")
    return [run.info.run_id for run in found]


def best(store: Store) -> str:
    return str(store.client.get_model_version_by_alias(EXPERIMENT, ALIAS).tags["experiment_key"])


def test_a_comparison_is_one_run_that_links_to_its_trainings(
    store: Store, comparison: Comparison, capfd: pytest.CaptureFixture[str]
) -> None:
    log_comparison(comparison)
    log_comparison(comparison)
    assert capfd.readouterr() == (
        "compare: lstm_ctc is now models:/emnist-lines@best in MLflow, CER 12.50% on 'variable'\n",
        "",
    )
    (run_id,) = runs(store)
    run = store.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == f"comparison ({comparison.name})"
    assert {"best": "lstm_ctc", "comparison_md5": comparison.md5}.items() <= run.data.tags.items()
    assert run.data.metrics == {"test_cer": 0.125}
    assert [file.path for file in store.client.list_artifacts(run_id)] == ["comparison.csv", "index.html"]
    trainings = [store.client.get_run(training) for training in runs(store, "backfill")]
    assert len(trainings) == 2
    note = run.data.tags["mlflow.note.content"]
    for training in trainings:
        assert "mlflow.parentRunId" not in training.data.tags
        assert training.data.tags["comparison"] == comparison.name
        assert run.data.tags[f"runs.{training.data.tags['experiment_key']}"] == training.info.run_id
        assert f"#/experiments/{store.experiment_id}/runs/{training.info.run_id}" in note


def test_a_comparison_links_to_the_trainings_of_every_seed(store: Store, comparison: Comparison) -> None:
    one, other = comparison.members
    second = find_newest_run(store, "lstm_ctc", file_md5(other.checkpoints[0]))
    assert second is not None
    store.client.set_tag(second.info.run_id, "experiment_key", "cnn_ce")
    checkpoints = [*one.checkpoints, *other.checkpoints, Path("missing.ckpt")]
    log_comparison(Comparison([dataclasses.replace(one, checkpoints=checkpoints)], []))
    (run_id,) = runs(store)
    linked = store.client.get_run(run_id).data.tags["runs.cnn_ce"].split()
    assert sorted(linked) == sorted(runs(store, "backfill"))


def test_the_same_result_on_a_new_page_replaces_the_page(store: Store, comparison: Comparison) -> None:
    log_comparison(comparison)
    table, page = comparison.files
    page.write_text("<p>second</p>")
    table.write_text("experiment,test_cer,lines_per_second\n")  # times are no result
    log_comparison(comparison)
    (run_id,) = runs(store)
    path = Path(store.client.download_artifacts(run_id, "index.html"))
    assert path.read_text() == "<p>second</p>"


def test_another_result_is_another_run_and_takes_its_trainings_along(store: Store, comparison: Comparison) -> None:
    one, other = comparison.members
    log_comparison(comparison)
    log_comparison(dataclasses.replace(comparison, members=[dataclasses.replace(other, test_cer=0.126)]))
    (new,) = {store.client.get_run(run_id).data.tags["comparison_md5"] for run_id in runs(store)} - {comparison.md5}
    groups = {
        run.data.tags["experiment_key"]: run.data.tags["comparison"]
        for run in map(store.client.get_run, runs(store, "backfill"))
    }
    assert groups == {one.experiment_key: comparison.name, other.experiment_key: new[:8]}


def test_trainings_of_an_older_store_stay_below_their_comparison(store: Store, comparison: Comparison) -> None:
    for training in runs(store, "backfill"):
        store.client.set_tag(training, "mlflow.parentRunId", "1234")
    log_comparison(comparison)
    tags = [store.client.get_run(training).data.tags for training in runs(store, "backfill")]
    assert [(one["mlflow.parentRunId"], one["comparison"]) for one in tags] == [("1234", comparison.name)] * 2


def test_the_alias_goes_to_a_better_model_only(store: Store, comparison: Comparison) -> None:
    worse, better = comparison.members
    log_comparison(dataclasses.replace(comparison, members=[worse]))
    assert best(store) == "cnn_ce"
    log_comparison(comparison)
    assert best(store) == "lstm_ctc"
    log_comparison(dataclasses.replace(comparison, members=[worse]))
    assert best(store) == "lstm_ctc"
    version = store.client.get_model_version_by_alias(EXPERIMENT, ALIAS)
    assert {"test_cer": "0.125000", "run_id": version.run_id, "model_md5": file_md5(better.checkpoints[0])}.items() <= (
        version.tags.items()
    )
    assert len(store.client.search_model_versions(f"name = '{EXPERIMENT}'")) == 2


def test_a_deleted_run_or_other_lines_give_the_alias_up(store: Store, comparison: Comparison) -> None:
    worse, _ = comparison.members
    log_comparison(comparison)
    log_comparison(dataclasses.replace(comparison, members=[dataclasses.replace(worse, data_md5="other")]))
    assert best(store) == "cnn_ce"
    log_comparison(comparison)
    assert best(store) == "lstm_ctc"
    store.client.delete_run(store.client.get_model_version_by_alias(EXPERIMENT, ALIAS).run_id)
    log_comparison(dataclasses.replace(comparison, members=[worse]))
    assert best(store) == "cnn_ce"


def test_the_best_model_is_found_again(store: Store, comparison: Comparison) -> None:
    with pytest.raises(InputError, match="no model has this name"):
        best_checkpoint()
    log_comparison(comparison)
    assert best_checkpoint().read_text() == "weights of lstm_ctc"


def test_only_experiments_on_the_same_lines_compete() -> None:
    easy = [member("a", 0.01, "aligned"), member("b", 0.5), member("c", 0.25)]
    assert best_member(easy).experiment_key == "c"
    assert best_member([member("a", 0.01, "aligned"), member("b", 0.5)]).experiment_key == "b"


def test_lines_of_the_same_pages_compete_at_any_height() -> None:
    low, high, synthetic = (
        member("nothing", 0.2, "own_28"),
        member("others", 0.1, "own"),
        member("emnist", 0.01, "emnist"),
    )
    of_pages = [dataclasses.replace(one, test_set="pages") for one in (high, low)]
    assert best_member([*of_pages, synthetic]).experiment_key == "others"
    assert best_member([*reversed(of_pages), synthetic]).experiment_key == "others"
    assert best_member([high, low]).experiment_key == "nothing"  # nothing says that these lines are the same


def test_trouble_with_the_store_is_one_warning(
    root: Path, comparison: Comparison, capfd: pytest.CaptureFixture[str]
) -> None:
    (root / "mlflow.db").write_text("no database" * 999)
    log_comparison(comparison)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow did not keep this run")
    with pytest.raises(InputError, match="cannot be used as MLflow store"):
        sync_comparison(comparison)
