"""What a model's numbers are computed in."""

import torch
from torch import Tensor


def arithmetic_type(values: Tensor) -> torch.dtype:
    """What convolutions of `values` on a CPU are computed in: the type of autocast, or their own."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else values.dtype
