"""Optimizers, in PyTorch's fused form."""

from collections.abc import Iterable

import torch
from torch import nn

from pipeline.settings.experiment import TrainingSettings


def make_optimizer(
    training: TrainingSettings, parameters: Iterable[nn.Parameter], learning_rate: float
) -> torch.optim.Optimizer:
    """Make the optimizer that the settings name."""
    if training.optimizer == "adam":
        return make_adam(parameters, learning_rate)
    return make_adamw(parameters, learning_rate, training.weight_decay)


def make_adam(parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """Adam, as in the lecture."""
    return _let_lightning_clip(torch.optim.Adam(parameters, lr=learning_rate, fused=True))


def make_adamw(parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW with weight decay for matrices and kernels, but not for vectors: biases and scales of norms."""
    parameters = list(parameters)
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate, fused=True)
    return _let_lightning_clip(optimizer)


def _let_lightning_clip(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Let Lightning clip gradients in mixed precision. It refuses to if a fused optimizer may unscale them itself."""
    optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]
    return optimizer
