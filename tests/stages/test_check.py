import os
import subprocess
import sys

import pytest

from pipeline.settings.base import read_params
from tests.imports import ROOT
from tests.projects import Project


def test_valid_settings_write_a_file_that_never_changes(project: Project) -> None:
    experiments = len(read_params()["experiments"])
    assert project.run("check") == f"check: {experiments} experiments on 3 data sets of lines\n"
    content = (project.root / "data/settings.ok").read_bytes()
    project.change(training={"max_epochs": 7})
    project.run("check")
    assert (project.root / "data/settings.ok").read_bytes() == content


def test_bad_settings_are_refused_in_one_line(project: Project) -> None:
    project.change(training={"max_epoch": 7}, emnist={"balance": "median"})
    line = project.refusal("check")
    assert "emnist.balance: must be 'mean' or 'none', got 'median'" in line
    assert "training.max_epoch: unknown; did you mean max_epochs?" in line
    assert not (project.root / "data").exists()


def test_after_a_refusal_the_output_is_gone(project: Project) -> None:
    project.run("check")
    project.change(training={"max_epochs": 0})
    project.refusal("check")
    assert not (project.root / "data/settings.ok").exists()


def test_missing_files_are_named(project: Project) -> None:
    name, *others = project.params["experiments"]
    project.change(
        emnist={"source": "archive", "archive": "mine.zip"},
        corpus={"source": "archive", "archive": str(project.root)},
        experiments={name: {"load": "kept/old.ckpt"}, others[0]: {"load": f"models/{others[1]}/seed_42.ckpt"}},
    )
    assert project.refusal("check") == (
        "params.yaml: emnist.archive: mine.zip: no such file or folder; "
        f"experiments.{name}.load: kept/old.ckpt: no such file"
    )
    (project.root / "mine.zip").touch()
    (project.root / "kept").mkdir()
    (project.root / "kept/old.ckpt").touch()
    project.run("check")
    assert (project.root / "data/none").is_file()


def test_another_folder_is_refused(project: Project) -> None:
    (project.root / "params.yaml").unlink()
    assert project.refusal("check") == (
        "params.yaml: cannot be read (No such file or directory); run from the project's root"
    )


@pytest.mark.parametrize(
    ("trainer", "problem"),
    [
        ({"accelerator": "gpu"}, "Lightning refuses these settings: No supported gpu backend found!"),
        ({"accelerator": "mps"}, "Lightning refuses these settings: `MPSAccelerator` can not run on your system"),
        ({"accelerator": "tpu"}, "Lightning refuses these settings: Requirement 'torch_xla"),
        ({"accelerator": "cpu", "devices": 0}, "Lightning refuses these settings: `Trainer(devices=0)` value is not"),
        ({"accelerator": "cpu", "devices": -1}, "Lightning refuses these settings: `devices` selected with"),
        ({"accelerator": "cpu", "devices": [0, 1]}, "Lightning refuses these settings: `devices` selected with"),
        ({"strategy": "dpp"}, "Lightning refuses these settings: You selected an invalid strategy name"),
        ({"accelerator": "cpu", "strategy": "fsdp"}, "Lightning refuses these settings: The strategy `fsdp` requires"),
    ],
)
def test_what_lightning_refuses_is_refused_in_one_line(
    project: Project, trainer: dict[str, object], problem: str
) -> None:
    project.monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    project.monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    project.change(training={"trainer": trainer})
    line = project.refusal("check")
    assert line.startswith(f"params.yaml: training.trainer: {problem}")
    assert line.count("Lightning refuses") == 1
    assert not (project.root / "data").exists()


def test_an_experiments_own_trainer_is_named(project: Project) -> None:
    own = {"training": {"trainer": {"accelerator": "cpu", "devices": 0}}}
    project.change(experiments={"cnn_ctc_matched": own, "cnn_ctc_variable": own})
    line = project.refusal("check")
    assert line.startswith("params.yaml: experiments.cnn_ctc_matched.training.trainer: Lightning refuses")
    assert "cnn_ctc_variable" not in line  # the same settings again


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_notebook", "ddp_fork_find_unused_parameters_true"])
def test_a_strategy_whose_results_are_lost_is_refused(project: Project, strategy: str) -> None:
    project.change(training={"trainer": {"strategy": strategy}})
    problem = f"training.trainer.strategy: {strategy} loses the results of its child processes; use ddp"
    assert project.refusal("check") == f"params.yaml: {problem}"


def test_a_precision_that_no_model_takes_is_refused(project: Project) -> None:
    project.change(training={"trainer": {"precision": "bf16-true"}})
    allowed = "must be 'auto', '32-true', '16-mixed' or 'bf16-mixed', got 'bf16-true'"
    assert project.refusal("check") == f"params.yaml: training.trainer.precision: {allowed}"


@pytest.mark.parametrize(
    "trainer",
    [
        {"devices": 2, "strategy": "ddp"},
        {"devices": 2, "num_nodes": 3, "strategy": "ddp"},
        {"devices": "auto", "precision": "16-mixed"},
    ],
)
def test_settings_that_lightning_takes_pass(project: Project, trainer: dict[str, object]) -> None:
    project.change(training={"trainer": {"accelerator": "cpu", **trainer}})
    assert project.run("check").startswith("check: ")


def test_the_check_imports_lightning_only_to_ask_it(project: Project) -> None:
    code = (
        "import sys, stages.check; stages.check.main(); print(sorted({'torch', 'pytorch_lightning'} & {*sys.modules}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    output = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert output.stdout.splitlines()[-1] == "[]"
