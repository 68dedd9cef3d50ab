"""A model's log-probabilities for many lines."""

import torch
from torch import Tensor

from pipeline.data.loading.batches import Batch
from pipeline.data.storage.lines import Lines
from pipeline.decoding.posteriors import Posteriors
from pipeline.inference.batches import for_each_batch
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import Arithmetic


def compute_posteriors(
    recognizer: Recognizer, lines: Lines, *, batch_size: int, arithmetic: Arithmetic, intermediate: bool = False
) -> Posteriors:
    """Run the model over all lines, in the arithmetic in which `predict_all` reads them.

    `intermediate` asks for those of the intermediate logits as well, of a model that has some.
    """
    steps = recognizer.objective.lengths(recognizer.model.windows, lines.widths.tolist())
    found: list[Tensor] = []

    def keep(indices: list[int], batch: Batch) -> None:
        by_depth, lengths = recognizer.logits_by_depth(batch.images, batch.widths)
        wanted = by_depth if intermediate else by_depth[-1:]
        if not found:
            size = len(lines), wanted[0].shape[1], max(steps)
            found.extend(torch.full(size, -torch.inf) for _ in wanted)
        for kept, logits in zip(found, wanted, strict=True):
            kept[indices, :, : max(lengths)] = logits.float().log_softmax(1).cpu()[:, :, : max(lengths)]

    for_each_batch(recognizer, lines, keep, batch_size=batch_size, arithmetic=arithmetic)
    return Posteriors(found[-1], steps, found[0] if intermediate else None)
