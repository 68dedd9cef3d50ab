"""Every command in README.md and docs/ is run in a small workspace, or has a reason not to be."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.orchestration.workspace import make_workspace
from pipeline.settings.base import read_params
from tests.data.transcriptions.drawn import alto, draw_page
from tests.imports import ROOT
from tests.pages import PAGES, commands, walk

TRAINED = "lstm_ctc_variable"
"""The experiment of the workspace."""
DRAWN = "resnet_lookalikes_ctc_variable"
"""An experiment that a command draws, and does not train. The workspace leaves it out to save time."""
ELSEWHERE = {
    ". .venv/bin/activate": "the tests run in this environment already",
    "dvc exp run -S emnist.source=archive": "needs the archives; settings in test_readme.py, archives in tests/data",
    "dvc exp run -S training.trainer.accelerator=gpu": "needs two GPUs; settings in test_readme.py",
    "dvc exp run -S training.trainer.accelerator=cpu": "trained like this in tests/stages; settings in test_readme.py",
    "dvc queue start": "takes minutes; end_to_end/test_runs_apart.py runs a queue to its end",
    "dvc exp run --queue --name": "end_to_end/test_runs_apart.py queues by name; settings in test_readme.py",
    "dvc exp run --queue -S experiments.resnet": "lists of settings are queued here too; these in test_readme.py",
    "dvc exp run -S '+decoding.matched": "needs an experiment that is left out here; settings in test_readme.py",
    "dvc exp run -S '+experiments.": "end_to_end/test_changes.py runs such experiments to their end",
    "dvc exp run -S decoding.": "tests/stages/test_decode.py has other settings",
    "python -m benchmarks": "takes an hour; tests/benchmarks",
    "python -m reliability": "runs everything again; tests/reliability",
    "python -m pipeline ablations": "trains sixteen times; commands/test_ablations.py runs a small plan",
    "python -m pipeline budgets": "trains for an hour and a half; commands/test_budgets.py runs small ones",
    "python -m pipeline export": "traces a graph for seconds; commands/test_export.py runs it on a small model",
    "python -m pipeline intervals": "needs two trained models; commands/test_intervals.py has tiny ones",
    "python -m pipeline plot_lookalikes": "needs a trained model; commands/test_plot_lookalikes.py draws a tiny one's",
    "python -m pipeline predict --model models/letters": "trained on own pages; commands/test_predict.py reads pages",
    "python -m pipeline search": "trains twenty times; commands/test_search.py searches and reads the space",
    "python -m pipeline repro --cluster": "needs a Ray cluster; services/test_cluster.py has one",
    "ray ": "starts a Ray cluster; services/test_cluster.py has one",
    "uv pip install": "changes the environment that the tests run in",
    "dvc remote add --default store": "needs a server; services/test_remotes.py has two",
    "dvc remote modify": "needs a server; services/test_remotes.py has two",
    "export MLFLOW_TRACKING_URI": "needs a server; services/test_mlflow_server.py has one",
    "sudo -u postgres": "needs a database; services/postgres.py makes one",
    "mlflow server": "runs until it is ended; services/test_mlflow_server.py has one",
    "pg_dump": "needs a database; services/postgres.py makes one",
    "torchrun": "needs two machines; services/test_nodes.py has two addresses",
    "sbatch": "needs Slurm",
    "dvc exp run -S training.trainer.num_nodes": "is run by hand on each machine after it; settings in test_readme.py",
    "dvc commit --force train": "needs a training on two machines",
    "curl ": "needs a server; tests/app sends requests to one",
    "dvc remote add --default shared": "needs a server or a shared folder; end_to_end/test_shared_results.py has one",
    "dvc push": "end_to_end/test_shared_results.py pushes to a folder",
    "dvc pull": "end_to_end/test_shared_results.py pulls from a folder",
    "git add .dvc/config": "end_to_end/test_shared_results.py shares results",
    'git commit -m "Results"': "end_to_end/test_shared_results.py shares results",
    "mlflow models serve": "runs until it is ended; tracking/test_served_model.py sends requests",
    "make ": "test_readme.py runs make with --dry-run; other tests run what it calls",
}
"""The start of each command that is not run, and the reason."""
IDENTITY = {f"GIT_{who}_{what}": "tests@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def reason(command: str) -> str | None:
    if command in walk():
        return "end_to_end/test_changes.py follows the change"
    return next((why for start, why in ELSEWHERE.items() if command.startswith(start)), None)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, quick_python: str) -> Iterator[Path]:
    """A workspace in git with the settings of the tiny profile, and a picture and a page to predict."""
    root = tmp_path_factory.mktemp("documented") / "workspace"
    make_workspace(ROOT, root, read_params(ROOT / "profiles/tiny.yaml"))
    params = YAML().load(root / "params.yaml")
    params["experiments"] = {TRAINED: params["experiments"][TRAINED]}
    params["lines"] = {"variable": params["lines"]["variable"]}
    params["decoding"] = {key: search for key, search in params["decoding"].items() if search["experiment"] == TRAINED}
    YAML().dump(params, root / "params.yaml")
    for name in (".gitignore", ".dvc/config", ".dvc/.gitignore"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    pixels = np.full((40, 300), 230, np.uint8)
    pixels[8:30, 20:280:16] = 20
    Image.fromarray(pixels).save(root / "line.png")
    baseline = [(20, 50), (300, 55)]
    (root / "scans").mkdir()
    draw_page(root / "scans/page.png", [baseline])
    (root / "scans/page.xml").write_text(alto("page.png", [("", baseline)]))
    with pytest.MonkeyPatch.context() as monkeypatch:
        path = [quick_python, str(Path(sys.executable).parent), os.environ["PATH"]]
        monkeypatch.setenv("PATH", os.pathsep.join(path))
        run(root, "git init --quiet --initial-branch main && git add --all && git commit --quiet --message Settings")
        yield root


def run(root: Path, command: str) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "DVC", "GIT_", "PYTHON"))}
    shell = ["bash", "-c", command]
    result = subprocess.run(shell, cwd=root, env={**kept, **IDENTITY}, capture_output=True, text=True)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def type_in(root: Path, command: str) -> str:
    """Run a documented command; add the experiment that it draws to the settings."""
    if DRAWN not in command:
        return run(root, command)
    params = YAML().load(root / "params.yaml")
    params["experiments"][DRAWN] = read_params(ROOT / "params.yaml")["experiments"][DRAWN]
    YAML().dump(params, root / "params.yaml")
    shown = run(root, command)
    run(root, "git checkout --quiet params.yaml")
    return shown


def test_every_reason_belongs_to_a_command() -> None:
    shown = [command for page in PAGES for command in commands(page)]
    assert [start for start in ELSEWHERE if not any(command.startswith(start) for command in shown)] == []


def all_commands() -> Iterator[str]:
    """The commands to run: first those of docs/experimenting.md, which commits results."""
    ordered = ["docs/experimenting.md", *(page for page in PAGES if page != "docs/experimenting.md")]
    yield from dict.fromkeys(command for page in ordered for command in commands(page) if not reason(command))


def test_every_command_can_be_typed(root: Path) -> None:
    typed = {}
    for command in all_commands():
        if typed and command.startswith(("dvc exp run", "dvc repro")):  # each command works from committed results
            run(root, "git checkout --quiet params.yaml dvc.lock reports && dvc checkout --quiet")
        typed[command] = type_in(root, command)
    (shown,) = [output for command, output in typed.items() if command.startswith("python -m pipeline runs")]
    assert [line.split()[0] for line in shown.splitlines()][:2] == ["experiment", TRAINED]
    (predicted,) = [output for command, output in typed.items() if command.startswith("mlflow models predict")]
    assert '{"predictions": [' in predicted


def test_commands_that_are_run_use_known_programs() -> None:
    shown = [command for page in PAGES for command in commands(page)]
    assert len(shown) > 30
    programs = {shlex.split(command)[0] for command in all_commands()}
    assert {"dvc", "python", "mlflow", "git", "printf"} >= programs
