import sys
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from pipeline.training import trainer as trainer_module
from pipeline.training.local_sgd import AverageWeights, LocalSGDStrategy
from pipeline.training.trainer import is_main_process, make_trainer
from tests.tiny import tiny_training


def test_settings_reach_lightnings_trainer(tmp_path: Path) -> None:
    passed = {"gradient_clip_val": 0.5, "accumulate_grad_batches": 3, "precision": "bf16-mixed"}
    trainer = make_trainer(tiny_training(passed, max_epochs=7), tmp_path, [])
    assert (trainer.max_epochs, trainer.gradient_clip_val, trainer.accumulate_grad_batches) == (7, 0.5, 3)
    assert trainer.precision == "bf16-mixed"
    assert (trainer.num_devices, trainer.num_nodes) == (1, 1)
    assert trainer.default_root_dir == str(tmp_path)
    assert trainer.progress_bar_callback is None
    assert trainer.checkpoint_callback is None


def test_auto_precision_is_chosen_by_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(trainer_module, "choose_precision", lambda *names: asked.append(names) or "bf16-mixed")
    trainer = make_trainer(tiny_training({"precision": "auto"}), tmp_path, [])
    assert asked == [("auto", "cpu")]
    assert trainer.precision == "bf16-mixed"


def test_on_a_gpu_new_memory_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "uses_gpu", lambda accelerator: True)
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    try:
        make_trainer(tiny_training(), tmp_path, [])
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert not torch.utils.deterministic.fill_uninitialized_memory


def test_a_terminal_sees_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    trainer = make_trainer(tiny_training(), tmp_path, [])
    assert isinstance(trainer.progress_bar_callback, pl.callbacks.TQDMProgressBar)


@pytest.mark.parametrize(
    ("devices", "nodes", "local_steps", "apart"),
    [(2, 1, 4, True), (1, 2, 4, True), (2, 1, 1, False), (1, 1, 4, False)],
)
def test_several_devices_use_local_sgd_if_asked_to(
    devices: int, nodes: int, local_steps: int, apart: bool, tmp_path: Path
) -> None:
    trainer_settings = {"devices": devices, "num_nodes": nodes, "strategy": "auto"}
    training = tiny_training(trainer_settings, local_steps=local_steps)
    trainer = make_trainer(training, tmp_path, [])
    assert isinstance(trainer.strategy, LocalSGDStrategy) == apart
    averaging = [callback.steps for callback in trainer.callbacks if isinstance(callback, AverageWeights)]
    assert averaging == [local_steps] * apart


@pytest.mark.parametrize(
    ("variables", "main"),
    [
        ({}, True),
        ({"NODE_RANK": "0"}, True),
        ({"NODE_RANK": "1"}, False),
        ({"GROUP_RANK": "1"}, False),
    ],
)
def test_only_the_first_node_keeps_results(
    variables: dict[str, str], main: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NODE_RANK", "GROUP_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_main_process() == main
