"""Two real processes average their weights, for comparison with means by hand."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pipeline.training import local_sgd
from pipeline.training.local_sgd import AverageWeights, get_moments, get_weights


def average_in_process(rank: int, meeting: Path) -> list[Any]:
    """In one of two processes: average a matrix and an image of its own with those of the other."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    matrix = torch.tensor([[1.0, 2.0], [3.0, 4.0]]) * (1 + 2 * rank)
    image = torch.arange(16.0).view(1, 2, 2, 4).to(memory_format=torch.channels_last) + rank
    local_sgd.average(iter([matrix, image]))
    torch.distributed.destroy_process_group()
    return [matrix.tolist(), image.flatten().tolist()]


def test_every_process_ends_with_the_mean(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        results = list(pool.map(average_in_process, (0, 1), [tmp_path / "meeting"] * 2, timeout=120))
    # The mean of once and three times the matrix; of an image and the same one brighter by 1.
    assert results == [[[[2.0, 4.0], [6.0, 8.0]], [number + 0.5 for number in range(16)]]] * 2


def test_weights_include_running_statistics() -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    shapes = [tuple(tensor.shape) for tensor in get_weights(module)]
    assert shapes == [(2, 1, 3, 3), (2,), (2,), (2,), (2,), (2,)]  # but not how many batches a norm has seen


def test_moments_of_all_parameters_are_found() -> None:
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    assert not list(get_moments([optimizer]))
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    first, second = (1 - beta for beta in optimizer.defaults["betas"])
    found = list(get_moments([optimizer]))
    assert [tuple(tensor.shape) for tensor in found] == [(2, 3), (2, 3), (2,), (2,)]
    # All gradients are 1, and the moments began at 0.
    for tensor, expected in zip(found, [first, second] * 2, strict=True):
        torch.testing.assert_close(tensor, torch.full_like(tensor, expected))


@pytest.mark.parametrize(("steps", "expected"), [(1, "wwwwwm"), (2, "-w-w-m"), (4, "---w-m"), (9, "-----m")])
def test_weights_are_averaged_every_few_steps_and_moments_with_the_last(
    steps: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    counts: list[int] = []
    monkeypatch.setattr(local_sgd, "average", lambda tensors: counts.append(len(list(tensors))))
    callback, done = AverageWeights(steps), ""
    for step in range(1, 7):
        counts.clear()
        trainer: Any = SimpleNamespace(global_step=step, is_last_batch=step == 6, optimizers=[optimizer])
        callback.on_train_batch_end(trainer, module, None, None, step - 1)
        done += {(): "-", (2,): "w", (6,): "m"}[tuple(counts)]
    assert done == expected
