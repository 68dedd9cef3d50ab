"""Training on several devices that take steps by themselves, and average their weights now and then.

With DDP all devices average their gradients, and so wait for one another, at every step, which on two cores takes a
seventh of the time. Here they meet every few steps (local SGD: Stich, "Local SGD Converges Fast and Communicates
Little", ICLR 2019; Lin et al., "Don't Use Large Mini-Batches, Use Local SGD", ICLR 2020).
"""

from collections.abc import Iterable, Iterator

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn


class LocalSteps(DDPStrategy):
    """Lightning's DDP, but for the wrapper that averages gradients."""

    def configure_ddp(self) -> None:
        """Leave the model as it is; all processes begin alike, by one seed or one checkpoint."""


class AverageWeights(pl.Callback):
    """Averages what the devices have learned: after every `steps` steps, and with the last of an epoch.

    There the optimizers' moments too, as an interrupted training goes on from those of one device.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        """Average where it is time to."""
        if trainer.is_last_batch:
            average([*learned(pl_module), *moments(trainer.optimizers)])
        elif trainer.global_step % self.steps == 0:
            average(learned(pl_module))


def learned(module: nn.Module) -> Iterator[Tensor]:
    """Weights, and the running means of norms."""
    yield from module.parameters()
    yield from (buffer for buffer in module.buffers() if buffer.is_floating_point())


def moments(optimizers: Iterable[torch.optim.Optimizer]) -> Iterator[Tensor]:
    """What optimizers remember of the gradients; all devices took it down in the same order."""
    for optimizer in optimizers:
        for state in optimizer.state.values():
            yield from (moment for moment in state.values() if moment.ndim)


@torch.no_grad()
def average(tensors: Iterable[Tensor]) -> None:
    """Make each the mean over all processes; one exchange for all, as each has a cost of its own.

    In place, unlike PyTorch's `average_parameters`, which leaves channels-last weights in the other layout.
    """
    every = list(tensors)
    flat = torch.cat([tensor.flatten() for tensor in every])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    for tensor, mean in zip(every, torch.split(flat, [tensor.numel() for tensor in every]), strict=True):
        tensor.copy_(mean.view(tensor.shape))
