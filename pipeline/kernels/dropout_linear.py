"""Dropout and a linear layer for a CPU, over many rows of features, one of which stands for many."""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.common.geometry import round_up
from pipeline.kernels.dropout import Dropout, random_masks
from pipeline.kernels.int_views import bits_of, times_mask, where_positive

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
    products: Tensor = _DroppedOutProduct.apply(  # type: ignore[no-untyped-call]
        rows, weight * dropout.scale, dropout.kept, count
    )
    return products


class _DroppedOutProduct(torch.autograd.Function):
    """Rows (N, I), each masked and the last one `count` times, times the transposed weights (O, I).

    One function for both kinds of rows: PyTorch would put together the gradient of `rows` of two whole copies.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, kept: int, count: int) -> Tensor:
        own, of_own = _masked_products(rows[:-1], weight, kept)
        repeated, of_repeated = _repeated_products(rows[-1], weight, kept, count)
        ctx.count = count
        ctx.save_for_backward(*of_own, *of_repeated)
        return torch.cat((own, repeated))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        masked, weight, *of_repeated = ctx.saved_tensors
        own = len(gradient) - ctx.count
        of_rows = masked.new_empty(own + 1, masked.shape[1])
        of_weight = _masked_gradients(gradient[:own], masked, weight, of_rows[:-1])
        of_rows[-1], of_weight_repeated = _repeated_gradients(gradient[own:], *of_repeated)
        return of_rows, of_weight_repeated.add_(of_weight), None, None


def _masked_products(rows: Tensor, weight: Tensor, kept: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Rows (N, I), each masked, times weights (O, I), and what their gradients need."""
    masked, weight = _with_room(len(rows), rows.shape[1], rows.dtype), weight.to(rows.dtype)
    masks = random_masks((len(rows), rows.shape[1]), kept, rows.dtype, CHUNK)
    products = []
    for chunk, mask, out in zip(torch.split(rows, CHUNK), masks, torch.split(masked, CHUNK), strict=True):
        times_mask(chunk, mask, out[: len(chunk)])
        products.append(out @ weight.t())
    return torch.cat(products)[: len(rows)], (masked, weight)


def _masked_gradients(gradient: Tensor, masked: Tensor, weight: Tensor, of_rows: Tensor) -> Tensor:
    """That of the weights (O, I); that of the rows is written to `of_rows` (N, I)."""
    continued = _continued(gradient)
    chunks = (torch.split(values, CHUNK) for values in (continued, masked, of_rows))
    for of_products, kept, out in zip(*chunks, strict=True):
        product = of_products @ weight
        where_positive(product[: len(out)], kept[: len(out)], out)  # what was neither dropped nor stopped by the ReLU
    return continued.t() @ masked


def _repeated_products(row: Tensor, weight: Tensor, kept: int, count: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One row (I,), masked `count` times anew, times weights (O, I), and what its gradients need.

    Where all rows are one, its numbers go into the weights, and the masks themselves are multiplied by these: features
    of blank paper that are 0 need no mask.
    """
    inputs = _above_zero(row)
    values, weights = row[inputs].float(), weight.index_select(1, inputs)
    masks = _with_room(count, len(inputs), row.dtype)
    one = int(bits_of(row.new_ones(1)))  # as integers, since copying these as numbers takes longer
    drawn = random_masks((count, len(inputs)), kept, row.dtype, CHUNK)
    for mask, out in zip(drawn, torch.split(masks[:count], CHUNK), strict=True):
        torch.mul(mask, one, out=bits_of(out))
    return (masks @ (weights * values).to(row.dtype).t())[:count], (row, inputs, values, weights, masks)


def _repeated_gradients(
    gradient: Tensor, row: Tensor, inputs: Tensor, values: Tensor, weights: Tensor, masks: Tensor
) -> tuple[Tensor, Tensor]:
    """Those of the row (I,) and the weights (O, I)."""
    of_products = (_continued(gradient).t() @ masks).float()
    of_weight = torch.zeros(len(weights), len(row)).index_copy_(1, inputs, of_products * values)
    of_values = (of_products * weights).sum(0).where(values > 0, 0)
    return torch.zeros(len(row)).index_copy_(0, inputs, of_values).to(row.dtype), of_weight


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
