"""Changed settings and code run the stages that depend on them, and no others."""

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.workspace import (
    COMPARED,
    DECODINGS,
    EPOCHS,
    KEYS,
    LINES,
    LSTM,
    LSTM_DIM,
    LSTM_STAGES,
    REPORTS,
    Workspace,
    assert_whole_run,
    stages_run,
)
from tests.pages import walk

if TYPE_CHECKING:
    from mlflow.entities import Run


def test_a_second_run_does_nothing(workspace: Workspace) -> None:
    shutil.rmtree(workspace.root / "pipeline/__pycache__", ignore_errors=True)
    (workspace.root / "pipeline/models/__pycache__/stale.cpython-311.pyc").write_bytes(b"compiled long ago")
    workspace.run(sys.executable, "-m", "compileall", "-q", "pipeline", "stages")
    output = workspace.dvc("repro")
    assert stages_run(output) == []
    assert "Data and pipelines are up to date." in output
    assert workspace.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("pipeline/report/pages/lecture.py", {"compare", "compare_decodings"}),
        ("pipeline/report/templates/comparison.md.j2", {"compare", "compare_decodings"}),
        (  # training on streaming lines synthesizes too
            "pipeline/data/synthesis/renderer.py",
            {f"{stage}@{name}" for stage, names in (("synthesize", LINES), ("train", KEYS)) for name in names},
        ),
        ("pipeline/data/sources/emnist.py", {"download", "corpus"}),
        ("pipeline/data/sources/brown.py", {"download", "corpus"}),
        ("pipeline/decoding/beam_search.py", {f"decode@{key}" for key in DECODINGS}),
        (
            "pipeline/settings/experiment.py",
            {
                *("check", "corpus", "language_model", "compare", "compare_decodings"),
                *(f"synthesize@{name}" for name in LINES),
                *(f"decode@{key}" for key in DECODINGS),
                *(f"{stage}@{key}" for stage in ("train", "evaluate") for key in KEYS),
            },
        ),
    ],
)
def test_changed_code_runs_the_stages_that_use_it(first: Workspace, path: str, stages: set[str]) -> None:
    with (first.root / path).open("a") as file:
        file.write("# a comment\n")
    try:
        assert first.status() == stages
    finally:
        first.git("checkout", path)  # nothing has run, so nothing else is to be put back


def test_a_misspelt_key_stops_everything_at_once(workspace: Workspace, new_runs: "Callable[[], list[Run]]") -> None:
    change = f"++experiments.{LSTM}.model.lstm_dmi=3"
    result = workspace.run(sys.executable, "-m", "dvc", "exp", "run", "-S", change, fails=True)
    assert stages_run(result.stdout) == ["check"]
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert line == f"error: params.yaml: experiments.{LSTM}.model.lstm_dmi: unknown; did you mean lstm_dim?"
    assert "Traceback" not in result.stdout + result.stderr
    assert new_runs() == []


def test_the_documented_change_runs_its_experiment_alone_and_is_undone(
    workspace: Workspace, new_runs: "Callable[[], list[Run]]"
) -> None:
    kept = {path: (workspace.root / path).read_bytes() for path in ("params.yaml", "dvc.lock", *REPORTS)}
    before = {key: workspace.metrics(key) for key in KEYS}
    change, *others = walk()
    assert change == f"dvc exp run --name narrow -S {LSTM_DIM}=256"
    output = workspace.run(*shlex.split(change)).stdout
    assert set(stages_run(output)) == LSTM_STAGES
    after = {key: workspace.metrics(key) for key in KEYS}
    assert [key for key in KEYS if after[key] != before[key]] == [LSTM]
    assert after[LSTM]["parameters"] > before[LSTM]["parameters"]
    (run,) = new_runs()
    assert run.info.run_name == f"{LSTM} (narrow)"
    assert run.data.params["model.lstm_dim"] == "256"
    assert run.data.tags["dvc.exp_name"] == "narrow"
    assert run.data.metrics["test_cer"] == after[LSTM]["test_cer"]
    assert_whole_run(workspace, run)
    row = workspace.shown()["narrow"]
    assert row[LSTM_DIM] == "256"
    assert float(row[f"{LSTM}.cer"]) == pytest.approx(after[LSTM]["test_cer"], abs=1e-4)

    typed = {command: workspace.run(*shlex.split(command)).stdout for command in others}
    assert LSTM_DIM in typed["dvc params diff"]
    table = [line.split() for line in typed["python -m pipeline experiments"].splitlines()]
    assert table[0][-1] == "narrow"
    assert [LSTM_DIM, "256", "8", "256"] in table
    assert f"{LSTM}.cer" in {row[0] for row in table}
    assert "narrow-lstm" in workspace.git("branch")
    # Back again, nothing is to be trained: DVC has the outputs, and MLflow the run.
    assert {path: (workspace.root / path).read_bytes() for path in kept} == kept
    assert workspace.metrics(LSTM) == before[LSTM]
    assert stages_run(workspace.dvc("repro")) == []


def test_a_new_experiment_is_trained_with_each_seed_and_compared(
    workspace: Workspace, new_runs: "Callable[[], list[Run]]"
) -> None:
    model = "{name: line_cnn, conv_dim: 4, fc_dim: 8}"
    block = f"{{lines: variable, loss: ctc, load: data/none, model: {model}, training: {{seeds: [42, 43]}}}}"
    output = workspace.dvc("exp", "run", "--name", "twice", "-S", f"+experiments.mine={block}")
    assert stages_run(output) == ["check", "train@mine", "evaluate@mine", "compare", "compare_decodings"]
    assert workspace.table()["experiment"].tolist() == [*KEYS, "mine"]
    row = workspace.table().iloc[-1]
    assert (row["lecture"], row["seeds"], row["test_cer_std"] != "") == ("", 2, True)
    runs = sorted(new_runs(), key=lambda run: run.info.run_name)
    assert [run.info.run_name for run in runs] == [f"mine (seed {seed}, twice)" for seed in (42, 43)]
    assert [run.data.tags["experiment_key"] for run in runs] == ["mine"] * 2
    assert [run.data.params["model.window_width"] for run in runs] == ["16"] * 2
    shown = json.loads(workspace.dvc("plots", "show", "history/mine.csv", "--show-vega"))
    assert [point["seed"] for point in shown["data"]["values"]] == ["42"] * EPOCHS + ["43"] * EPOCHS
    assert shown["encoding"]["detail"] == {"field": "seed", "type": "nominal"}
    changed = workspace.git("diff", "--name-only", "HEAD").split()
    # What the best experiment confuses stays, unless the new one is the best; synthetic lines have no groups.
    assert {*changed, "reports/confusions.csv", "reports/groups.csv"} == {"dvc.lock", "params.yaml", *COMPARED}
    assert workspace.git("ls-files", "--others", "--exclude-standard") == ""
