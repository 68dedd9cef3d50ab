"""Dropout and a linear layer over rows that occur many times, for a CPU.

A few rows at a time go through all of it, within the processor's caches.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.models.dropout import Dropout, random_masks

CHUNK = 256
"""Rows at a time."""


def dropped_out_linear(dropout: Dropout, layer: nn.Linear, distinct: Tensor, which: Tensor) -> Tensor:
    """`layer(dropout(distinct[which]))` in training: (N, O) of `distinct` (M, I), of its type, and `which` (N,) int64.

    Each of the N rows has a mask of its own. Gradients of a row that occurs often are summed up in fp32.
    """
    order = which.argsort(stable=True)
    weight = (layer.weight * dropout.scale).to(distinct.dtype)
    products: Tensor = _MaskedProduct.apply(  # type: ignore[no-untyped-call]
        distinct, which[order], weight, dropout.kept
    )
    return products.index_select(0, order.argsort()) + layer.bias.to(distinct.dtype)


class _MaskedProduct(torch.autograd.Function):
    """Rows of `distinct` by ascending number, masked, times the transposed weight."""

    @staticmethod
    def forward(ctx: Any, distinct: Tensor, which: Tensor, weight: Tensor, kept: int) -> Tensor:
        masks = random_masks((len(which), distinct.shape[1]), kept, distinct.dtype, CHUNK)
        products, ctx.masks = [], []
        for numbers, mask in zip(torch.split(which, CHUNK), masks, strict=True):
            products.append(_masked(distinct, numbers, mask) @ weight.t())
            ctx.masks.append(mask)
        ctx.save_for_backward(distinct, which, weight)
        return torch.cat(products)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        distinct, which, weight = ctx.saved_tensors
        of_weight = torch.zeros(weight.shape)
        of_distinct = torch.zeros_like(distinct)
        last, of_last = -1, torch.zeros(distinct.shape[1])
        chunks = zip(torch.split(which, CHUNK), ctx.masks, torch.split(gradient, CHUNK), strict=True)
        for numbers, mask, of_products in chunks:
            of_weight += of_products.t() @ _masked(distinct, numbers, mask)
            of_rows = of_products @ weight
            of_rows.view(mask.dtype).bitwise_and_(mask)
            # A product sums in fp32; added up one by one in bf16, thousands of equal rows would lose most of theirs.
            member = torch.arange(int(numbers[0]), int(numbers[-1]) + 1)[:, None] == numbers
            sums = member.to(of_rows.dtype) @ of_rows
            of_first = sums[0] + of_last if int(numbers[0]) == last else sums[0].float()
            of_last = of_first if len(sums) == 1 else sums[-1].float()
            of_distinct[int(numbers[0]) : int(numbers[-1]) + 1] = sums
            of_distinct[numbers[0]] = of_first
            last = int(numbers[-1])
        return of_distinct, None, of_weight.to(weight.dtype), None


def _masked(distinct: Tensor, numbers: Tensor, mask: Tensor) -> Tensor:
    rows = distinct.index_select(0, numbers)
    rows.view(mask.dtype).bitwise_and_(mask)
    return rows
