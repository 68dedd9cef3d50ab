"""The rates of an epoch; apart from `pipeline.metrics.error_rates`, as torchmetrics takes a second to import."""

from collections.abc import Sequence

import torch
import torchmetrics
from torch import Tensor

from pipeline.metrics.error_rates import SUMS, all_rates, all_sums


class EpochMetrics(torchmetrics.Metric):
    """Sums over lines from which all rates follow; adds up over batches and over devices.

    It compares texts, and the (B, T) class indices they came from where positions count.
    """

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        for name in SUMS:
            self.add_state(name, default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, predictions: Sequence[str], texts: Sequence[str], rows: Tensor, targets: Tensor) -> None:
        """Add lines: their readings and texts, and both as (B, T) class indices."""
        for name, amount in all_sums(predictions, texts, rows, targets).items():
            getattr(self, name).add_(amount)

    def compute(self) -> dict[str, float]:
        """See `all_rates`."""
        return all_rates({name: float(getattr(self, name)) for name in SUMS})
