"""Keep the weights of some parts of a model during a training."""

from collections.abc import Sequence

from pytorch_lightning.callbacks import BaseFinetuning
from torch import nn

from pipeline.common.errors import InputError


def freeze(model: nn.Module, parts: Sequence[str]) -> None:
    """Let no training change the weights of `parts`, nor the statistics of their norms.

    Raises:
        InputError: the model has no such part, or nothing is left to train.
    """
    for name in parts:
        try:
            part = model.get_submodule(name)
        except AttributeError:
            names = ", ".join(child for child, _ in model.named_children())
            raise InputError(
                f"training.frozen: {name}: {type(model).__name__} has no such part; it has {names}"
            ) from None
        BaseFinetuning.freeze(part, train_bn=False)
    if parts and not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError("training.frozen: names all parts of the model; leave at least one to train")
