import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels import dropout_linear as module
from pipeline.kernels.dropout import Dropout
from pipeline.kernels.dropout_linear import dropped_out_linear

INPUTS, OUTPUTS, OWN, COUNT = 40, 6, 13, 11
"""Rows of their own, and how many the last one stands for."""
DTYPES = [torch.float32, torch.bfloat16]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks, the last one continued by zeros."""
    monkeypatch.setattr(module, "CHUNK", 6)
    monkeypatch.setattr(module, "RASTER", 3)


def features(dtype: torch.dtype) -> Tensor:
    """Those of a ReLU, half of them 0."""
    torch.manual_seed(0)
    return torch.randn(OWN + 1, INPUTS).relu().to(dtype).requires_grad_()


def repeated(rows: Tensor) -> Tensor:
    return torch.cat((rows[:-1], rows[-1:].expand(COUNT, -1)))


def gradient_of(values: Tensor) -> Tensor:
    assert values.grad is not None
    return values.grad


@pytest.mark.parametrize("dtype", DTYPES)
def test_without_dropout_it_is_the_product_of_each_row(dtype: torch.dtype) -> None:
    rows, slope = features(dtype), torch.randn(OWN + COUNT, OUTPUTS)
    weight = torch.randn(OUTPUTS, INPUTS, requires_grad=True)
    products = dropped_out_linear(Dropout(0), weight, rows, COUNT)
    assert (products.dtype, products.shape) == (dtype, (OWN + COUNT, OUTPUTS))
    (products.float() * slope).sum().backward()
    exact = rows.detach().float().requires_grad_()
    exact_weight = weight.detach().clone().requires_grad_()
    reference = repeated(exact.relu()) @ exact_weight.t()
    (reference * slope).sum().backward()
    tolerance = 1e-5 if dtype == torch.float32 else 0.03
    for one, other in (
        (products.detach(), reference.detach()),
        (gradient_of(rows), gradient_of(exact)),
        (gradient_of(weight), gradient_of(exact_weight)),
    ):
        torch.testing.assert_close(one.float(), other, rtol=tolerance, atol=tolerance * float(other.abs().max()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_row_has_a_mask_of_its_own_that_the_gradients_share(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    rows = torch.ones(OWN + 1, INPUTS, dtype=dtype, requires_grad=True)
    # Output i sees input i alone, so the outputs show which inputs were dropped.
    weight = torch.eye(INPUTS, requires_grad=True)
    products = dropped_out_linear(Dropout(0.25), weight, rows, COUNT)
    kept = products.detach().float() > 0
    torch.testing.assert_close(products.detach().float(), kept / 0.75, rtol=2**-7, atol=0)
    assert len({tuple(row.tolist()) for row in kept}) == OWN + COUNT
    assert float(kept.float().mean()) == pytest.approx(0.75, abs=5 * (0.1875 / kept.numel()) ** 0.5)
    products.float().sum().backward()
    expected = torch.cat((kept[:OWN], kept[OWN:].sum(0, keepdim=True))) / 0.75
    torch.testing.assert_close(gradient_of(rows).float(), expected, rtol=0.02, atol=0)
    of_weight = kept.sum(0) / 0.75
    torch.testing.assert_close(gradient_of(weight), of_weight.expand(INPUTS, -1).float(), rtol=0.02, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_feature_of_zero_gets_no_gradient_and_gives_none(dtype: torch.dtype) -> None:
    rows = features(dtype)
    weight = torch.randn(OUTPUTS, INPUTS, requires_grad=True)
    dropped_out_linear(Dropout(0.25), weight, rows, COUNT).float().square().sum().backward()
    assert bool((gradient_of(rows)[rows == 0] == 0).all())
    never = (rows == 0).all(0)
    assert bool((gradient_of(weight)[:, never] == 0).all())
    assert bool((gradient_of(rows)[-1] != 0).any())


@pytest.mark.parametrize("dtype", DTYPES)
def test_thousands_of_equal_rows_keep_their_gradient(dtype: torch.dtype) -> None:
    count = 4096
    rows = torch.ones(1, 8, dtype=dtype, requires_grad=True)
    dropped_out_linear(Dropout(0), torch.eye(8), rows, count).float().sum().backward()
    # Added up in bf16 one by one, the sum would stop at 256.
    assert gradient_of(rows).tolist() == [[count] * 8]


@pytest.mark.parametrize(("own", "count"), [(0, 3), (4, 0), (0, 0)])
@pytest.mark.parametrize("blank", [True, False])
def test_there_may_be_none_of_either(own: int, count: int, blank: bool) -> None:
    rows = torch.ones(own + 1, 8)
    rows[-1] = 0 if blank else 1
    rows.requires_grad_()
    layer = nn.Linear(8, 2)
    products = dropped_out_linear(Dropout(0), layer.weight, rows, count)
    products.sum().backward()
    sums = layer.weight.detach().sum(1)
    torch.testing.assert_close(products[:own], sums.expand(own, -1))
    torch.testing.assert_close(products[own:], sums.expand(count, -1) * (0 if blank else 1))
    torch.testing.assert_close(gradient_of(rows)[-1], layer.weight.detach().sum(0) * (0 if blank else count))


def test_the_same_seed_drops_the_same() -> None:
    rows, weight, outputs = features(torch.float32), torch.randn(OUTPUTS, INPUTS), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(dropped_out_linear(Dropout(0.5), weight, rows, COUNT))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


@pytest.mark.parametrize("own", [0, 1, 127, 128, 129])
@pytest.mark.parametrize("count", [0, 1, 128, 130])
def test_rows_that_fill_a_raster_or_not_give_what_plain_rows_give(
    own: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 256)
    monkeypatch.setattr(module, "RASTER", 128)
    torch.manual_seed(0)
    rows = torch.randn(own + 1, 300).relu().requires_grad_()
    weight = torch.randn(OUTPUTS, 300, requires_grad=True)
    slope = torch.randn(own + count, OUTPUTS)
    products = dropped_out_linear(Dropout(0), weight, rows, count)
    plain = torch.cat((rows[:-1], rows[-1:].expand(count, -1))) @ weight.t()
    torch.testing.assert_close(products, plain, rtol=0, atol=1e-4)
    ours = torch.autograd.grad((products * slope).sum(), (rows, weight))
    theirs = torch.autograd.grad((plain * slope).sum(), (rows, weight))
    torch.testing.assert_close(ours[0], theirs[0] * (rows > 0), rtol=0, atol=1e-4)
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=1e-3)
