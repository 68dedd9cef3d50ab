"""Error rates of an epoch. Not in `pipeline.metrics.error_rates`, because torchmetrics takes a second to import."""

from collections.abc import Sequence

import torch
import torchmetrics
from torch import Tensor

from pipeline.metrics.error_rates import SUMS, all_rates, all_sums


class EpochMetrics(torchmetrics.Metric):
    """All error rates over the lines of an epoch, summed over batches and devices."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        for name in SUMS:
            self.add_state(name, default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(
        self, predictions: Sequence[str], texts: Sequence[str], predicted_classes: Tensor, target_classes: Tensor
    ) -> None:
        """Add a batch: predictions and true texts, both also as class indices (B, T)."""
        for name, amount in all_sums(predictions, texts, predicted_classes, target_classes).items():
            getattr(self, name).add_(amount)

    def compute(self) -> dict[str, float]:
        """See `all_rates`."""
        return all_rates({name: float(getattr(self, name)) for name in SUMS})
