"""The whole pipeline under DVC, run once on the tiny profile, and then changed here and there."""

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from pipeline.files import md5_of
from pipeline.settings.base import read_params
from pipeline.tracking import open_store
from pipeline.workspace import make_workspace
from tests.imports import ROOT
from tests.projects import merged

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KEYS = list(read_params(ROOT / "params.yaml")["experiments"])
LINES = list(read_params(ROOT / "params.yaml")["lines"])
LSTM = "lstm_ctc_variable"
LSTM_DIM = f"experiments.{LSTM}.model.lstm_dim"
DECODINGS = list(read_params(ROOT / "params.yaml")["decoding"])
LSTM_STAGES = {"check", f"train@{LSTM}", f"evaluate@{LSTM}", f"decode@{LSTM}_beam", "compare", "compare_decodings"}
REPORTS = [
    f"reports/{name}"
    for name in (
        "cer.png",
        "comparison.csv",
        "comparison.md",
        "confusions.csv",
        "index.html",
        "readings.png",
        "summary.json",
    )
]
DECODING_REPORTS = ["reports/decoding.json", "reports/decoding.md", "reports/reliability.png"]
COMPARED = [path for path in REPORTS if "decoding" not in path and "reliability" not in path]
"""What the stage `compare` writes."""
EPOCHS = 2
QUEUE_SECONDS = 300
IDENTITY = {f"GIT_{who}_{what}": "tests@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@dataclass
class Workspace:
    """A workspace with its first run's output, and what git then called changed."""

    root: Path
    environment: Mapping[str, str]
    output: str = ""
    changed: str = ""

    def run(self, *command: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True)
        assert (result.returncode != 0) == fails, f"{command}\n{result.stdout}\n{result.stderr}"
        return result

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments).stdout

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).stdout

    def save(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def restore(self) -> None:
        """Back to the state after the first run, but for MLflow's store."""
        self.git("reset", "--quiet", "--hard")
        self.dvc("checkout")

    def status(self) -> set[str]:
        """The stages that would run because of what they depend on."""
        return set(json.loads(self.dvc("status", "--json")))

    def table(self) -> pd.DataFrame:
        return pd.read_csv(self.root / "reports/comparison.csv", keep_default_na=False)

    def metrics(self, key: str) -> dict[str, Any]:
        metrics: dict[str, Any] = json.loads((self.root / f"metrics/{key}.json").read_text())
        return metrics

    def runs(self, database: Path | None = None) -> "dict[str, Run]":
        """The runs of experiments in MLflow's store by id, without those of comparisons."""
        client = self.client(database)
        experiment = client.get_experiment_by_name("emnist-lines")
        found = client.search_runs([experiment.experiment_id], "tags.source != 'compare'")
        return {run.info.run_id: run for run in found}

    def client(self, database: Path | None = None) -> "MlflowClient":
        with pytest.MonkeyPatch.context() as monkeypatch:
            # MLflow sets it itself as well, which is undone with this.
            monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database or self.root / 'mlflow.db'}")
            monkeypatch.setenv("DVC_ROOT", str(self.root))
            return open_store().client

    def shown(self) -> dict[str, dict[str, str]]:
        """The rows of `dvc exp show` by name; the workspace's and the commit's have none of their own."""
        rows = csv.DictReader(io.StringIO(self.dvc("exp", "show", "--csv")))
        return {row["Experiment"] or row["rev"]: row for row in rows}


def stages_run(output: str) -> list[str]:
    return re.findall("^Running stage '(.*)':$", output, re.MULTILINE)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace after its first run."""
    root = tmp_path_factory.mktemp("pipeline") / "workspace"
    profile = read_params(ROOT / "profiles/tiny.yaml")
    make_workspace(ROOT, root, merged(profile, {"training": {"max_epochs": EPOCHS}}))
    shutil.copy(ROOT / ".gitignore", root)
    # The project's own configuration has git beneath it, which a workspace has not.
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, root / ".dvc")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "DVC", "GIT_", "PYTHON"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    workspace = Workspace(root, {**kept, **IDENTITY, "PATH": path})
    workspace.git("init", "--quiet")
    workspace.save("Settings and code")
    workspace.output = workspace.dvc("repro")
    workspace.changed = workspace.git("status", "--porcelain")
    workspace.save("Results")
    return workspace


@pytest.fixture
def workspace(first: Workspace) -> Iterator[Workspace]:
    """The workspace, put back afterwards."""
    yield first
    first.restore()


@pytest.fixture
def new_runs(first: Workspace) -> "Callable[[], list[Run]]":
    """A function that returns MLflow's runs that the test has added."""
    before = set(first.runs())
    return lambda: [run for run_id, run in first.runs().items() if run_id not in before]


def edits_between(first: str, second: str) -> int:
    """Levenshtein distance, a row of the table at a time."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def predictions(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def assert_whole_run(
    workspace: Workspace,
    run: "Run",
    artifacts: Sequence[str] = ("images", "test_readings.png"),
    database: Path | None = None,
) -> None:
    """A finished run, whose pictures and model lie beneath the workspace's root."""
    assert run.info.status == "FINISHED"
    store = workspace.root / "mlruns"
    assert Path(run.info.artifact_uri).is_relative_to(store)
    assert sorted(path.name for path in Path(run.info.artifact_uri).glob("*")) == sorted(artifacts)
    (output,) = run.outputs.model_outputs
    model = Path(workspace.client(database).get_logged_model(output.model_id).artifact_location)
    assert model.is_relative_to(store)
    assert {"MLmodel", "requirements.txt"} <= {path.name for path in model.iterdir()}


def test_every_stage_ran_once_and_left_its_outputs(first: Workspace) -> None:
    ran = stages_run(first.output)
    assert sorted(ran) == sorted(
        [
            *("check", "download", "corpus", "language_model", "compare", "compare_decodings"),
            *(f"synthesize@{name}" for name in LINES),
            *(f"{stage}@{key}" for stage in ("train", "evaluate") for key in KEYS),
            *(f"decode@{key}" for key in DECODINGS),
        ]
    )
    assert ran[0] == "check"
    outputs = [
        *(
            "data/settings.ok",
            "data/characters.h5",
            "data/corpus.json",
            "data/language_model.h5",
            *REPORTS,
            *DECODING_REPORTS,
        ),
        *(f"data/lines/{name}.h5" for name in LINES),
        *(f"models/{key}/seed_42.ckpt" for key in KEYS),
        *(f"timings/{key}_{stage}.json" for stage in ("train", "evaluate") for key in KEYS),
        *(f"{folder}/{key}.csv" for folder in ("history", "predictions") for key in KEYS),
        *(f"metrics/{key}.json" for key in KEYS),
        *(f"decoding_timings/{key}_decode.json" for key in DECODINGS),
        *(f"decodings/{key}.{suffix}" for key in DECODINGS for suffix in ("csv", "json")),
    ]
    assert [path for path in outputs if not (first.root / path).is_file()] == []


def test_git_sees_the_lock_and_the_reports_alone(first: Workspace) -> None:
    assert first.changed.splitlines() == ["?? dvc.lock", "?? reports/"]
    assert first.git("ls-files", "reports").split() == sorted([*REPORTS, *DECODING_REPORTS])


@pytest.mark.parametrize("key", KEYS)
def test_metrics_follow_from_the_predictions(first: Workspace, key: str) -> None:
    rows = predictions(first.root / f"predictions/{key}.csv")
    metrics = first.metrics(key)
    assert len(rows) == metrics["lines"] == 10
    pairs = [(row["prediction"], row["text"]) for row in rows]
    edits = [edits_between(*pair) for pair in pairs]
    assert [int(row["edits"]) for row in rows] == edits
    assert metrics["test_cer"] == pytest.approx(sum(edits) / sum(len(text) for _, text in pairs))
    longest = [max(map(len, pair)) for pair in pairs]
    assert metrics["test_cer_lab"] == pytest.approx(sum(e / n for e, n in zip(edits, longest, strict=True)) / 10)
    assert metrics["test_exact"] == pytest.approx(sum(p == t for p, t in pairs) / 10)
    assert all(0 <= metrics[f"test_{name}"] <= 1 for name in ("accuracy", "accuracy_text"))


def test_the_table_has_every_experiment_in_the_order_of_the_settings(first: Workspace) -> None:
    table = first.table()
    assert table["experiment"].tolist() == KEYS
    described = ["experiment", "model", "loss", "lines", "data", "parameters"]
    measured = ["test_cer", "test_cer_lab", "test_accuracy", "test_wer", "test_exact"]
    assert {*described, *measured, "lecture"} <= set(table.columns)
    assert set(table["data"]) == {"built-in glyphs, not EMNIST"}
    experiments = read_params(first.root / "params.yaml")["experiments"]
    for row in table.to_dict("records"):
        experiment, metrics = experiments[row["experiment"]], first.metrics(row["experiment"])
        assert (row["model"], row["loss"], row["lines"]) == (
            *(experiment["model"]["name"], experiment["loss"]),
            experiment["lines"],
        )
        assert row["parameters"] == metrics["parameters"] > 0
        assert [row[name] for name in measured] == pytest.approx([metrics[name] for name in measured], abs=1e-6)
        assert row["lecture"]


def test_the_page_says_that_these_are_no_real_characters(first: Workspace) -> None:
    page = (first.root / "reports/comparison.md").read_text()
    assert "built-in glyphs, not EMNIST" in page
    assert "Python's help pages" in page
    rows = re.findall(r"^\| `(.*?)` \|", page, re.MULTILINE)
    assert rows == KEYS
    assert f"up to {EPOCHS} epochs" in page


def test_mlflow_has_a_whole_run_of_every_experiment(first: Workspace) -> None:
    runs = {run.info.run_name: run for run in first.runs().values()}
    assert sorted(runs) == sorted(KEYS)
    assert len(first.runs()) == len(KEYS)
    experiments = read_params(first.root / "params.yaml")["experiments"]
    for key, run in runs.items():
        experiment = experiments[key]
        tags = {
            "experiment_key": key,
            "model": experiment["model"]["name"],
            "loss": experiment["loss"],
            "lines": experiment["lines"],
            "data": "built-in glyphs, not EMNIST",
            "data_md5": md5_of(first.root / f"data/lines/{experiment['lines']}.h5"),
            "model_md5": md5_of(first.root / f"models/{key}/seed_42.ckpt"),
            "dvc.stage": f"train@{key}",
            "git.commit": first.git("rev-parse", "HEAD~1").strip(),
        }
        assert tags.items() <= run.data.tags.items()
        params = {
            "model.conv_dim": "4",
            "training.max_epochs": str(EPOCHS),
            "training.trainer.devices": "1",
            "training.load": "null",
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
    (run_id,) = [run_id for run_id, run in first.runs().items() if run.info.run_name == key]
    client = first.client()
    for name in ("train_loss", "val_loss", "val_cer", "learning_rate"):
        points = [(metric.step, metric.value) for metric in client.get_metric_history(run_id, name)]
        assert [step for step, _ in points] == list(range(EPOCHS))
        assert [value for _, value in points] == pytest.approx(history[name].tolist(), rel=1e-6)


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
        ("pipeline/report/lecture.py", {"compare"}),
        ("pipeline/report/comparison.md.j2", {"compare"}),
        ("pipeline/data/synthesis.py", {f"synthesize@{name}" for name in LINES}),
        ("pipeline/data/emnist.py", {"download"}),
        ("pipeline/data/brown.py", {"corpus"}),
        ("pipeline/decoding/beam.py", {f"decode@{key}" for key in DECODINGS}),
        (
            "pipeline/settings/experiment.py",
            {
                *("check", "compare", *(f"decode@{key}" for key in DECODINGS)),
                *(f"{stage}@{key}" for stage in ("train", "evaluate") for key in KEYS),
            },
        ),
    ],
)
def test_changed_code_concerns_the_stages_that_use_it(workspace: Workspace, path: str, stages: set[str]) -> None:
    with (workspace.root / path).open("a") as file:
        file.write("# a comment\n")
    assert workspace.status() == stages


def test_a_misspelt_key_stops_everything_at_once(workspace: Workspace, new_runs: "Callable[[], list[Run]]") -> None:
    change = f"++experiments.{LSTM}.model.lstm_dmi=3"
    result = workspace.run(sys.executable, "-m", "dvc", "exp", "run", "-S", change, fails=True)
    assert stages_run(result.stdout) == ["check"]
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert line == f"error: params.yaml: experiments.{LSTM}.model.lstm_dmi: unknown; did you mean lstm_dim?"
    assert "Traceback" not in result.stdout + result.stderr
    assert new_runs() == []


def test_a_changed_setting_runs_its_experiment_alone(workspace: Workspace, new_runs: "Callable[[], list[Run]]") -> None:
    before = {key: workspace.metrics(key) for key in KEYS}
    output = workspace.dvc("exp", "run", "--name", "wider", "-S", f"{LSTM_DIM}=16")
    assert set(stages_run(output)) == LSTM_STAGES
    after = {key: workspace.metrics(key) for key in KEYS}
    assert [key for key in KEYS if after[key] != before[key]] == [LSTM]
    assert after[LSTM]["parameters"] > before[LSTM]["parameters"]
    (run,) = new_runs()
    assert run.info.run_name == f"{LSTM} (wider)"
    assert run.data.params["model.lstm_dim"] == "16"
    assert run.data.tags["dvc.exp_name"] == "wider"
    assert run.data.metrics["test_cer"] == after[LSTM]["test_cer"]
    assert_whole_run(workspace, run)
    row = workspace.shown()["wider"]
    assert row[LSTM_DIM] == "16"
    assert float(row[f"{LSTM}.cer"]) == pytest.approx(after[LSTM]["test_cer"], abs=1e-4)

    # Back again, nothing is trained: DVC has the outputs, and MLflow the run.
    workspace.restore()
    assert workspace.metrics(LSTM) == before[LSTM]
    assert stages_run(workspace.dvc("repro")) == []


def test_several_seeds_of_one_experiment_are_trained_and_compared(
    workspace: Workspace, new_runs: "Callable[[], list[Run]]"
) -> None:
    change = f"+experiments.{LSTM}.training.seeds=[42,43]"
    assert set(stages_run(workspace.dvc("exp", "run", "--name", "twice", "-S", change))) == LSTM_STAGES
    row = workspace.table().set_index("experiment").loc[LSTM]
    assert (row["seeds"], row["test_cer_std"] != "") == (2, True)
    assert sorted(run.info.run_name for run in new_runs()) == [f"{LSTM} (seed {seed}, twice)" for seed in (42, 43)]
    shown = json.loads(workspace.dvc("plots", "show", f"history/{LSTM}.csv", "--show-vega"))
    assert [point["seed"] for point in shown["data"]["values"]] == ["42"] * EPOCHS + ["43"] * EPOCHS
    assert shown["encoding"]["detail"] == {"field": "seed", "type": "nominal"}


def test_an_experiment_of_ones_own_is_trained_and_compared(
    workspace: Workspace, new_runs: "Callable[[], list[Run]]"
) -> None:
    block = "{lines: variable, loss: ctc, model: {name: line_cnn, conv_dim: 4, fc_dim: 8}}"
    output = workspace.dvc("exp", "run", "-S", f"+experiments.mine={block}")
    assert stages_run(output) == ["check", "train@mine", "evaluate@mine", "compare"]
    assert workspace.table()["experiment"].tolist() == [*KEYS, "mine"]
    assert workspace.table()["lecture"].tolist()[-1] == ""
    (run,) = new_runs()
    assert run.data.tags["experiment_key"] == "mine"
    assert run.data.params["model.window_width"] == "16"
    changed = workspace.git("diff", "--name-only", "HEAD").split()
    # What the best experiment confuses stays, unless the new one is the best.
    assert {*changed, "reports/confusions.csv"} == {"dvc.lock", "params.yaml", *COMPARED}
    assert workspace.git("ls-files", "--others", "--exclude-standard") == ""


def test_the_walk_through_a_change_can_be_walked(workspace: Workspace) -> None:
    page = (ROOT / "docs/experimenting.md").read_text(encoding="utf-8")
    before = {path: (workspace.root / path).read_bytes() for path in ("params.yaml", "dvc.lock", *REPORTS)}
    for title in ("Try it", "Look at it", "Keep it, or go back"):
        section = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
        for block in re.findall(r"^```bash\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
            for command in block.splitlines():
                result = workspace.run(*shlex.split(command))
                if command == "dvc params diff":
                    assert LSTM_DIM in result.stdout
    assert {path: (workspace.root / path).read_bytes() for path in before} == before
    assert workspace.status() == set()
    assert "narrow-lstm" in workspace.git("branch")


def test_a_temporary_copy_keeps_its_run_in_the_main_store(
    workspace: Workspace, new_runs: "Callable[[], list[Run]]"
) -> None:
    workspace.dvc("exp", "run", "--temp", "--name", "apart", "-S", f"{LSTM_DIM}=12")
    assert workspace.git("status", "--porcelain") == ""
    (run,) = new_runs()
    assert run.data.params["model.lstm_dim"] == "12"
    assert run.data.tags["dvc.exp_name"] == "apart"
    assert_whole_run(workspace, run)
    row = workspace.shown()["apart"]
    assert row[LSTM_DIM] == "12"
    assert float(row[f"{LSTM}.cer"]) == pytest.approx(run.data.metrics["test_cer"], abs=1e-4)
    assert list(workspace.root.rglob("mlflow.db")) == [workspace.root / "mlflow.db"]


def test_the_queue_keeps_its_runs_in_the_main_store(workspace: Workspace, new_runs: "Callable[[], list[Run]]") -> None:
    workspace.dvc("exp", "run", "--queue", "--name", "waiting", "-S", f"{LSTM_DIM}=10")
    assert new_runs() == []
    workspace.dvc("queue", "start")
    try:
        end = time.monotonic() + QUEUE_SECONDS
        while not re.search("waiting.*(Success|Failed)", status := workspace.dvc("queue", "status")):
            assert time.monotonic() < end, status
            time.sleep(2)
    finally:
        workspace.dvc("queue", "stop")
    assert re.search("waiting.*Success", status), workspace.dvc("queue", "logs", "waiting")
    assert workspace.git("status", "--porcelain") == ""
    (run,) = new_runs()
    assert run.data.params["model.lstm_dim"] == "10"
    assert run.data.tags["dvc.exp_name"] == "waiting"
    assert_whole_run(workspace, run)
    row = workspace.shown()["waiting"]
    assert (row[LSTM_DIM], row["State"]) == ("10", "Success")
    assert float(row[f"{LSTM}.cer"]) == pytest.approx(run.data.metrics["test_cer"], abs=1e-4)


def test_dvc_shows_settings_and_metrics_side_by_side(first: Workspace) -> None:
    row = first.shown()["workspace"]
    for key in KEYS:
        assert float(row[f"{key}.cer"]) == pytest.approx(first.metrics(key)["test_cer"], abs=1e-4)
        assert row[f"experiments.{key}.model.conv_dim"] == "4"
    assert row[LSTM_DIM] == "8"


def test_dvc_shows_the_metrics_of_every_experiment(first: Workspace) -> None:
    shown = json.loads(first.dvc("metrics", "show", "--json"))
    (files,) = [revision["data"] for revision in shown.values()]
    metrics = files["reports/summary.json"]["data"]
    assert list(metrics) == KEYS
    for key in KEYS:
        assert metrics[key]["cer"] == pytest.approx(first.metrics(key)["test_cer"], abs=1e-4)
        assert metrics[key]["accuracy"] == pytest.approx(first.metrics(key)["test_accuracy"], abs=1e-4)


def test_dvc_draws_the_plots(first: Workspace, tmp_path: Path) -> None:
    first.dvc("plots", "show", "--out", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text()
    assert "CER by experiment" in page
    for key in KEYS:
        assert f"{key}, CER on validation lines" in page


def test_a_lost_store_is_rebuilt_from_what_dvc_keeps(workspace: Workspace, tmp_path: Path) -> None:
    trained = {run.info.run_name: run for run in workspace.runs().values() if run.info.run_name in KEYS}
    for path in workspace.root.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(workspace.root / "mlruns")
    output = workspace.dvc("repro")
    assert stages_run(output) == []
    assert "Data and pipelines are up to date." in output
    assert not (workspace.root / "mlflow.db").exists()

    sync = (sys.executable, "-m", "pipeline.sync")
    assert workspace.run(*sync).stdout == f"made {len(KEYS)} filled 0 same 0\n"
    # MLflow in this process still has the lost file open, so it is shown a copy of the new one.
    copy = shutil.copy(workspace.root / "mlflow.db", tmp_path / "rebuilt.db")
    rebuilt = {run.info.run_name: run for run in workspace.runs(copy).values()}
    assert rebuilt.keys() == trained.keys()
    for key, run in rebuilt.items():
        assert run.data.params == trained[key].data.params
        assert run.data.metrics == pytest.approx(trained[key].data.metrics, rel=1e-6)
        for tag in ("model", "loss", "lines", "data", "data_md5", "model_md5", "experiment_key"):
            assert run.data.tags[tag] == trained[key].data.tags[tag]
        assert run.data.tags["source"] == "backfill"
        assert_whole_run(workspace, run, artifacts=(), database=copy)
    assert workspace.run(*sync).stdout == f"made 0 filled 0 same {len(KEYS)}\n"
