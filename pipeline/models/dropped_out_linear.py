"""Dropout and a linear layer for a CPU, over many rows of features, one of which stands for many."""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.geometry import round_up
from pipeline.models.bits import bits_of, times_mask, where_positive
from pipeline.models.dropout import Dropout, random_masks

CHUNK = 256
"""Rows at a time, to stay within the caches."""
RASTER = 128
"""Rows, and inputs that are masked, are continued by zeros to a multiple of it.

oneDNN compiles a product of bf16 matrices for each shape that it has not seen: as long as two such products take.
"""


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
        masked, weight = _with_room(len(rows), rows.shape[1], rows.dtype), weight.to(rows.dtype)
        masks = random_masks((len(rows), rows.shape[1]), kept, rows.dtype, CHUNK)
        products = []
        for chunk, mask, out in zip(torch.split(rows, CHUNK), masks, torch.split(masked, CHUNK), strict=True):
            times_mask(chunk, mask, out[: len(chunk)])
            products.append(out @ weight.t())
        ctx.save_for_backward(masked, weight)
        return torch.cat(products)[: len(rows)]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        masked, weight = ctx.saved_tensors
        of_rows, continued = torch.empty_like(masked), _continued(gradient)
        chunks = (torch.split(values, CHUNK) for values in (continued, masked, of_rows))
        for of_products, kept, out in zip(*chunks, strict=True):
            torch.mm(of_products, weight, out=out)
            where_positive(out, kept, out)  # what was neither dropped nor stopped by the ReLU
        return of_rows[: len(gradient)], continued.t() @ masked, None


class _RepeatedProduct(torch.autograd.Function):
    """One row (I,), masked `count` times anew, times the transposed weights (O, I).

    Where all rows are one, its numbers go into the weights, and the masks themselves are multiplied by these: features
    of blank paper that are 0 need no mask.
    """

    @staticmethod
    def forward(ctx: Any, row: Tensor, weight: Tensor, kept: int, count: int) -> Tensor:
        inputs = _above_zero(row)
        values, weights = row[inputs].float(), weight.index_select(1, inputs)
        masks = _with_room(count, len(inputs), row.dtype)
        one = int(bits_of(row.new_ones(1)))  # as integers, since copying these as numbers takes longer
        drawn = random_masks((count, len(inputs)), kept, row.dtype, CHUNK)
        for mask, out in zip(drawn, torch.split(masks[:count], CHUNK), strict=True):
            torch.mul(mask, one, out=bits_of(out))
        ctx.save_for_backward(row, inputs, values, weights, masks)
        return (masks @ (weights * values).to(row.dtype).t())[:count]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        row, inputs, values, weights, masks = ctx.saved_tensors
        of_products = (_continued(gradient).t() @ masks).float()
        of_weight = torch.zeros(len(weights), len(row)).index_copy_(1, inputs, of_products * values)
        of_values = (of_products * weights).sum(0).where(values > 0, 0)
        of_row = torch.zeros(len(row)).index_copy_(0, inputs, of_values)
        return of_row.to(row.dtype), of_weight, None, None


def _with_room(rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """Uninitialized rows, continued by rows of zeros to a multiple of `RASTER`."""
    values = torch.empty((round_up(rows, RASTER), columns), dtype=dtype)
    values[rows:] = 0
    return values


def _continued(rows: Tensor) -> Tensor:
    """Rows and rows of zeros, a multiple of `RASTER` in all."""
    return nn.functional.pad(rows, (0, 0, 0, round_up(len(rows), RASTER) - len(rows)))


def _above_zero(row: Tensor) -> Tensor:
    """The indices of what is above 0 in a row (I,), and of zeros to a multiple of `RASTER`, while there are any."""
    count = int(row.count_nonzero())
    return (row == 0).argsort(stable=True)[: round_up(count, RASTER)]
