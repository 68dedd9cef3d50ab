import pytest
import torch
from torch import Tensor, nn

from pipeline.kernels import dropout_linear as module
from pipeline.kernels.dropout import Dropout
from pipeline.kernels.dropout_linear import dropout_linear, dropout_linear_repeated

INPUTS, OUTPUTS, SINGLE, COUNT = 40, 6, 13, 11
"""`COUNT` is how many rows the last one stands for."""
DTYPES = [torch.float32, torch.bfloat16, torch.float64]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks, the last one padded with zeros."""
    monkeypatch.setattr(module, "CHUNK", 6)
    monkeypatch.setattr(module, "MULTIPLE", 3)


def features(dtype: torch.dtype) -> Tensor:
    """The output of a ReLU, half of it 0."""
    torch.manual_seed(0)
    return torch.randn(SINGLE + 1, INPUTS).relu().to(dtype).requires_grad_()


def repeated(rows: Tensor) -> Tensor:
    return torch.cat((rows[:-1], rows[-1:].expand(COUNT, -1)))


def grad(values: Tensor) -> Tensor:
    assert values.grad is not None
    return values.grad


@pytest.mark.parametrize("dtype", DTYPES)
def test_without_dropout_it_is_the_product_of_each_row(dtype: torch.dtype) -> None:
    rows, slope = features(dtype), torch.randn(SINGLE + COUNT, OUTPUTS)
    weight = torch.randn(OUTPUTS, INPUTS, requires_grad=True)
    products = dropout_linear_repeated(rows, Dropout(0), weight, COUNT)
    assert (products.dtype, products.shape) == (dtype, (SINGLE + COUNT, OUTPUTS))
    (products.float() * slope).sum().backward()
    exact = rows.detach().float().requires_grad_()
    exact_weight = weight.detach().clone().requires_grad_()
    reference = repeated(exact.relu()) @ exact_weight.t()
    (reference * slope).sum().backward()
    tolerance = 0.03 if dtype == torch.bfloat16 else 1e-5
    for ours, expected in (
        (products.detach(), reference.detach()),
        (grad(rows), grad(exact)),
        (grad(weight), grad(exact_weight)),
    ):
        torch.testing.assert_close(ours.float(), expected, rtol=tolerance, atol=tolerance * float(expected.abs().max()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_row_has_its_own_mask_in_the_gradients_too(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    rows = torch.ones(SINGLE + 1, INPUTS, dtype=dtype, requires_grad=True)
    # Output i sees input i alone, so the outputs show which inputs were dropped.
    weight = torch.eye(INPUTS, requires_grad=True)
    products = dropout_linear_repeated(rows, Dropout(0.25), weight, COUNT)
    kept = products.detach().float() > 0
    torch.testing.assert_close(products.detach().float(), kept / 0.75, rtol=2**-7, atol=0)
    assert len({tuple(row.tolist()) for row in kept}) == SINGLE + COUNT
    assert float(kept.float().mean()) == pytest.approx(0.75, abs=5 * (0.1875 / kept.numel()) ** 0.5)
    products.float().sum().backward()
    expected = torch.cat((kept[:SINGLE], kept[SINGLE:].sum(0, keepdim=True))) / 0.75
    torch.testing.assert_close(grad(rows).float(), expected, rtol=0.02, atol=0)
    grad_weight = kept.sum(0) / 0.75
    torch.testing.assert_close(grad(weight), grad_weight.expand(INPUTS, -1).float(), rtol=0.02, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_feature_of_zero_has_no_gradient_and_causes_none(dtype: torch.dtype) -> None:
    rows = features(dtype)
    weight = torch.randn(OUTPUTS, INPUTS, requires_grad=True)
    dropout_linear_repeated(rows, Dropout(0.25), weight, COUNT).float().square().sum().backward()
    assert bool((grad(rows)[rows == 0] == 0).all())
    never = (rows == 0).all(0)
    assert bool((grad(weight)[:, never] == 0).all())
    assert bool((grad(rows)[-1] != 0).any())


@pytest.mark.parametrize("dtype", DTYPES)
def test_thousands_of_equal_rows_keep_their_gradient(dtype: torch.dtype) -> None:
    count = 4096
    rows = torch.ones(1, 8, dtype=dtype, requires_grad=True)
    dropout_linear_repeated(rows, Dropout(0), torch.eye(8), count).float().sum().backward()
    # Added up in bf16 one by one, the sum would stop at 256.
    assert grad(rows).tolist() == [[count] * 8]


@pytest.mark.parametrize(("single", "count"), [(0, 3), (4, 0), (0, 0)])
@pytest.mark.parametrize("blank", [True, False])
def test_there_may_be_none_of_either(single: int, count: int, blank: bool) -> None:
    rows = torch.ones(single + 1, 8)
    rows[-1] = 0 if blank else 1
    rows.requires_grad_()
    layer = nn.Linear(8, 2)
    products = dropout_linear_repeated(rows, Dropout(0), layer.weight, count)
    products.sum().backward()
    sums = layer.weight.detach().sum(1)
    torch.testing.assert_close(products[:single], sums.expand(single, -1))
    torch.testing.assert_close(products[single:], sums.expand(count, -1) * (0 if blank else 1))
    torch.testing.assert_close(grad(rows)[-1], layer.weight.detach().sum(0) * (0 if blank else count))


def test_the_same_seed_drops_the_same() -> None:
    rows, weight, outputs = features(torch.float32), torch.randn(OUTPUTS, INPUTS), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(dropout_linear_repeated(rows, Dropout(0.5), weight, COUNT))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


@pytest.mark.parametrize("single", [0, 1, 127, 128, 129])
@pytest.mark.parametrize("count", [0, 1, 128, 130])
def test_rows_that_fill_a_multiple_or_not_are_computed_like_plain_rows(
    single: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 256)
    monkeypatch.setattr(module, "MULTIPLE", 128)
    torch.manual_seed(0)
    rows = torch.randn(single + 1, 300).relu().requires_grad_()
    weight = torch.randn(OUTPUTS, 300, requires_grad=True)
    slope = torch.randn(single + count, OUTPUTS)
    products = dropout_linear_repeated(rows, Dropout(0), weight, count)
    plain = torch.cat((rows[:-1], rows[-1:].expand(count, -1))) @ weight.t()
    torch.testing.assert_close(products, plain, rtol=0, atol=1e-4)
    ours = torch.autograd.grad((products * slope).sum(), (rows, weight))
    theirs = torch.autograd.grad((plain * slope).sum(), (rows, weight))
    torch.testing.assert_close(ours[0], theirs[0] * (rows > 0), rtol=0, atol=1e-4)
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_it_is_dropout_and_then_the_layer(training: bool) -> None:
    torch.manual_seed(0)
    dropout, layer = Dropout(0.25).train(training), nn.Linear(6, 3).double()
    values = torch.randn(4, 5, 6).double().requires_grad_()
    results = []
    for compute in (lambda: dropout_linear(values, dropout, layer), lambda: layer(dropout(values))):
        torch.manual_seed(1)
        layer.zero_grad()
        values.grad = None
        outputs = compute()
        outputs.square().sum().backward()
        assert values.grad is not None
        assert layer.weight.grad is not None
        results.append((outputs.detach(), values.grad.clone(), layer.weight.grad.clone()))
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    assert bool((results[0][1] == 0).any()) is training
