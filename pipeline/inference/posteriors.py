"""Compute a model's log-probabilities for many lines."""

import torch
from torch import Tensor

from pipeline.data.loading.batches import Batch
from pipeline.data.storage.lines import Lines
from pipeline.decoding.posteriors import Posteriors
from pipeline.inference.batches import for_each_batch
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import ComputeConfig


def compute_posteriors(
    recognizer: Recognizer, lines: Lines, *, batch_size: int, compute: ComputeConfig, intermediate: bool = False
) -> Posteriors:
    """Run the model on all lines, with the same arithmetic as `predict_all`.

    With `intermediate`, those of the intermediate logits are included; the model must have them.
    """
    steps = recognizer.objective.lengths(recognizer.model.windows, lines.widths.tolist())
    results: list[Tensor] = []

    def store(indices: list[int], batch: Batch) -> None:
        by_depth, lengths = recognizer.logits_by_depth(batch.images, batch.widths)
        selected = by_depth if intermediate else by_depth[-1:]
        if not results:
            size = len(lines), selected[0].shape[1], max(steps)
            results.extend(torch.full(size, -torch.inf) for _ in selected)
        for result, logits in zip(results, selected, strict=True):
            result[indices, :, : max(lengths)] = logits.float().log_softmax(1).cpu()[:, :, : max(lengths)]

    for_each_batch(recognizer, lines, store, batch_size=batch_size, compute=compute)
    return Posteriors(results[-1], steps, recognizer.objective.vocabulary, results[0] if intermediate else None)
