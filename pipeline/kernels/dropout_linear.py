"""Dropout and a linear layer as one function on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.common.geometry import round_up
from pipeline.kernels.dropout import Dropout, random_masks
from pipeline.kernels.int_views import apply_mask, as_integers, relu_backward

CHUNK = 256
"""Rows at a time, to stay within the caches."""
MULTIPLE = 128
"""Rows and unmasked inputs are padded with zeros to a multiple of this.

oneDNN compiles a product of bf16 matrices for each new shape, which takes as long as two such products.
"""


def dropout_linear(values: Tensor, dropout: Dropout, linear: nn.Linear) -> Tensor:
    """`linear(dropout(values))`; on a CPU dropout scales the weights, which are far fewer than the values."""
    if not dropout.is_fast(values):
        output: Tensor = linear(dropout(values))
        return output
    return nn.functional.linear(dropout.masked(values), linear.weight * dropout.scale, linear.bias)


def dropout_linear_repeated(rows: Tensor, dropout: Dropout, weight: Tensor, count: int) -> Tensor:
    """`dropout(rows) @ weight.t()` in training, where the last row stands for `count` equal rows.

    Takes rows (N, I) and a weight (O, I), and returns (N - 1 + `count`, O) in the rows' dtype. Each of the `count` rows
    has its own mask. The rows must be the output of a ReLU: where they are 0, their gradient is 0.
    """
    output: Tensor = _DropoutLinearRepeated.apply(  # type: ignore[no-untyped-call]
        rows, weight * dropout.scale, dropout.kept_levels, count
    )
    return output


class _DropoutLinearRepeated(torch.autograd.Function):
    """One function for single and repeated rows: otherwise autograd would add two full-size gradients of `rows`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, kept_levels: int, count: int) -> Tensor:
        single, saved_single = _forward_single(rows[:-1], weight, kept_levels)
        repeated, saved_repeated = _forward_repeated(rows[-1], weight, kept_levels, count)
        ctx.count = count
        ctx.save_for_backward(*saved_single, *saved_repeated)
        return torch.cat((single, repeated))

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        masked, weight, *saved_repeated = ctx.saved_tensors
        single = len(grad_output) - ctx.count
        grad_rows = masked.new_empty(single + 1, masked.shape[1])
        grad_weight_single = _backward_single(grad_output[:single], masked, weight, grad_rows[:-1])
        grad_rows[-1], grad_weight = _backward_repeated(grad_output[single:], *saved_repeated)
        return grad_rows, grad_weight.add_(grad_weight_single), None, None


def _forward_single(rows: Tensor, weight: Tensor, kept_levels: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Mask rows (N, I) and multiply them by the weight (O, I); also returns the tensors for the backward pass."""
    masked, weight = _padded_empty(len(rows), rows.shape[1], rows.dtype), weight.to(rows.dtype)
    masks = random_masks((len(rows), rows.shape[1]), kept_levels, rows.dtype, CHUNK)
    products = []
    for chunk, mask, out in zip(torch.split(rows, CHUNK), masks, torch.split(masked, CHUNK), strict=True):
        apply_mask(chunk, mask, out[: len(chunk)])
        products.append(out @ weight.t())
    return torch.cat(products)[: len(rows)], (masked, weight)


def _backward_single(grad_output: Tensor, masked: Tensor, weight: Tensor, grad_rows: Tensor) -> Tensor:
    """Return the gradient of the weight (O, I), and write the rows' gradient to `grad_rows` (N, I)."""
    padded = _pad_rows(grad_output)
    chunks = (torch.split(values, CHUNK) for values in (padded, masked, grad_rows))
    for grad_chunk, masked_chunk, out in zip(*chunks, strict=True):
        product = grad_chunk @ weight
        relu_backward(product[: len(out)], masked_chunk[: len(out)], out)  # 0 where dropout or the ReLU made a 0
    return padded.t() @ masked


def _forward_repeated(row: Tensor, weight: Tensor, kept_levels: int, count: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Multiply `count` masked copies of a row (I,) by the weight (O, I); also returns the tensors for backward.

    All rows are equal, so the row's values go into the weight, and the masks themselves are multiplied by it. Inputs
    that are 0 need no mask.
    """
    inputs = _positive_inputs(row)
    values, weights = row[inputs].to(torch.promote_types(row.dtype, torch.float32)), weight.index_select(1, inputs)
    masks = _padded_empty(count, len(inputs), row.dtype)
    one = int(as_integers(row.new_ones(1)))  # masks are written as integers, which is faster
    drawn = random_masks((count, len(inputs)), kept_levels, row.dtype, CHUNK)
    for mask, out in zip(drawn, torch.split(masks[:count], CHUNK), strict=True):
        torch.mul(mask, one, out=as_integers(out))
    return (masks @ (weights * values).to(row.dtype).t())[:count], (row, inputs, values, weights, masks)


def _backward_repeated(
    grad_output: Tensor, row: Tensor, inputs: Tensor, values: Tensor, weights: Tensor, masks: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of the row (I,) and of the weight (O, I)."""
    grad_products = (_pad_rows(grad_output).t() @ masks).to(values.dtype)
    grad_weight = values.new_zeros(len(weights), len(row)).index_copy_(1, inputs, grad_products * values)
    grad_values = (grad_products * weights).sum(0).where(values > 0, 0)
    return values.new_zeros(len(row)).index_copy_(0, inputs, grad_values).to(row.dtype), grad_weight


def _padded_empty(rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """Uninitialized rows, padded with zero rows to a multiple of `MULTIPLE`."""
    values = torch.empty((round_up(rows, MULTIPLE), columns), dtype=dtype)
    values[rows:] = 0
    return values


def _pad_rows(rows: Tensor) -> Tensor:
    """Pad with zero rows to a multiple of `MULTIPLE`."""
    return nn.functional.pad(rows, (0, 0, 0, round_up(len(rows), MULTIPLE) - len(rows)))


def _positive_inputs(row: Tensor) -> Tensor:
    """The indices of the positive values of a row (I,), then of as many zeros as fill a multiple of `MULTIPLE`."""
    count = int(row.count_nonzero())
    return (row == 0).argsort(stable=True)[: round_up(count, MULTIPLE)]
