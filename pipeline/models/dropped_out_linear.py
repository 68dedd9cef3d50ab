"""Dropout and a linear layer for a CPU, over many rows of features, one of which stands for many."""

from typing import Any

import torch
from torch import Tensor

from pipeline.models.bits import times_mask, where_positive
from pipeline.models.dropout import Dropout, random_masks

CHUNK = 256
"""Rows at a time, to stay within the caches."""


def dropped_out_linear(dropout: Dropout, weight: Tensor, rows: Tensor, count: int) -> Tensor:
    """`dropout(rows) @ weight.t()` in training, of the rows' type: (N - 1 + `count`, O) of (N, I) and (O, I).

    The last row stands for `count` rows, each with a mask of its own; these come last. The rows are those of a ReLU:
    none is negative, and the gradient stays 0 where they are 0, as the ReLU would stop it.
    """
    scaled = weight * dropout.scale
    own: Tensor = _MaskedProduct.apply(rows[:-1], scaled, dropout.kept)  # type: ignore[no-untyped-call]
    repeated: Tensor = _RepeatedProduct.apply(rows[-1], scaled, dropout.kept, count)  # type: ignore[no-untyped-call]
    return torch.cat((own, repeated))


class _MaskedProduct(torch.autograd.Function):
    """Rows (N, I), each masked, times the transposed weights (O, I)."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, kept: int) -> Tensor:
        masked, weight = torch.empty_like(rows), weight.to(rows.dtype)
        masks = random_masks((len(rows), rows.shape[1]), kept, rows.dtype, CHUNK)
        products = [
            times_mask(chunk, mask, out) @ weight.t()
            for chunk, mask, out in zip(torch.split(rows, CHUNK), masks, torch.split(masked, CHUNK), strict=True)
        ]
        ctx.save_for_backward(masked, weight)
        return torch.cat(products)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        masked, weight = ctx.saved_tensors
        of_rows = torch.empty_like(masked)
        chunks = (torch.split(values, CHUNK) for values in (gradient, masked, of_rows))
        for of_products, kept, out in zip(*chunks, strict=True):
            torch.mm(of_products, weight, out=out)
            where_positive(out, kept, out)  # what was neither dropped nor stopped by the ReLU
        return of_rows, gradient.t() @ masked, None


class _RepeatedProduct(torch.autograd.Function):
    """One row (I,), masked `count` times anew, times the transposed weights (O, I).

    Where all rows are one, its numbers go into the weights, and the masks themselves are multiplied by these:
    of the features of blank paper, half are 0 and need no mask.
    """

    @staticmethod
    def forward(ctx: Any, row: Tensor, weight: Tensor, kept: int, count: int) -> Tensor:
        inputs = row.nonzero().squeeze(1)
        values, weights = row[inputs].float(), weight.index_select(1, inputs)
        masks = torch.empty((count, len(inputs)), dtype=row.dtype)
        drawn = random_masks((count, len(inputs)), kept, row.dtype, CHUNK)
        for mask, out in zip(drawn, torch.split(masks, CHUNK), strict=True):
            out.copy_(mask)
        ctx.save_for_backward(row, inputs, values, weights, masks)
        return masks @ (weights * values).to(row.dtype).t()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        row, inputs, values, weights, masks = ctx.saved_tensors
        of_products = (gradient.t() @ masks).float()
        of_weight = torch.zeros(len(weights), len(row)).index_copy_(1, inputs, of_products * values)
        of_row = torch.zeros(len(row)).index_copy_(0, inputs, (of_products * weights).sum(0))
        return of_row.to(row.dtype), of_weight, None, None
