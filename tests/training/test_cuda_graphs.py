"""Padded shapes on any machine; on a GPU, replayed steps against steps without graphs."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.common.geometry import CELL, Windows, round_up
from pipeline.common.vocabulary import EMNIST
from pipeline.models.recognizer import Recognizer, to_pixels
from pipeline.models.registry import build_model
from pipeline.training.cuda_graphs import CAPTURE_AT_OCCURRENCE, GraphedRecognizer, StaticInputs, pad_shape
from tests.tiny import MODELS, RESNETS, noise_images, tiny_model, tiny_settings

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
WIDTHS = ([130, 28, 57, 100, 83], [90, 140, 31, 28, 121])
"""Two batches with the same padded shape, for any multiple of 16 pixels."""


def pixels(widths: list[int], seed: int = 0) -> Tensor:
    """(B, 28, W) uint8."""
    return (noise_images(widths, seed).squeeze(1) * 255).to(torch.uint8)


@given(
    width=st.integers(1, 60),
    stride=st.integers(1, 30),
    margin=st.integers(0, 40),
    width_multiple=st.sampled_from([1, 16, 64]),
    shape=st.tuples(st.integers(1, 200), st.integers(28, 900)),
)
def test_a_padded_shape_fits_all_steps_of_its_lines(
    width: int, stride: int, margin: int, width_multiple: int, shape: tuple[int, int]
) -> None:
    windows = Windows(width, stride, margin)
    needed = windows.line_steps(shape[1])
    padded = pad_shape(windows, width_multiple, shape, needed, cut_to_lines=True)
    assert padded.lines == shape[0]
    assert padded.width % width_multiple == 0
    assert padded.steps >= needed
    # The width fits these steps and no more, and is the smallest multiple that fits the needed ones.
    assert windows.width_for(padded.steps) <= padded.width < windows.width_for(padded.steps + 1)
    assert padded.width == round_up(max(shape[1], windows.width_for(needed)), width_multiple)


def test_where_all_steps_count_padding_adds_none() -> None:
    padded = pad_shape(Windows(16, 8, margin=16), 64, (3, 130), 32, cut_to_lines=False)
    assert (padded.lines, padded.width, padded.steps) == (3, 192, 32)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("loss", ["ctc", "ce"])
def test_padding_does_not_change_logits(name: str, loss: str) -> None:
    recognizer = tiny_settings(name, loss, max_length=20).build()
    recognizer.model.eval()
    for widths in WIDTHS:
        images = pixels(widths)
        expected, lengths = recognizer.logits(images, widths)
        cut = recognizer.objective.cut_to_lines
        padded = pad_shape(
            recognizer.model.windows, recognizer.model.width_multiple, images.shape[::2], max(lengths), cut_to_lines=cut
        )
        inputs = StaticInputs(padded, CELL, images.device)
        inputs.fill(images, lengths)
        (*_, made) = inputs.logits_by_depth(recognizer.model)
        assert made.shape == (len(widths), 83, padded.steps)
        for line, length in enumerate(lengths):
            torch.testing.assert_close(made[line, :, :length], expected[line, :, :length], rtol=0, atol=1e-5)


def test_every_shipped_model_has_a_width_multiple() -> None:
    assert {name: build_model(tiny_model(name), EMNIST.num_classes).width_multiple for name in MODELS} == {
        name: 16 if name in RESNETS else 64 for name in MODELS
    }


@pytest.mark.parametrize("name", RESNETS)
def test_batch_norm_ignores_padding(name: str) -> None:
    model = build_model(tiny_model(name), EMNIST.num_classes).train()
    widths = WIDTHS[0]
    lengths = [model.windows.line_steps(width) for width in widths]
    images = pixels(widths)
    inputs = StaticInputs(
        pad_shape(model.windows, model.width_multiple, images.shape[::2], max(lengths), cut_to_lines=True),
        CELL,
        images.device,
    )
    inputs.fill(images, lengths)
    found = []
    for compute in (lambda: model(to_pixels(images), lengths), lambda: inputs.logits_by_depth(model)):
        before = model.line_resnet.norm.running_var.clone()
        compute()
        found.append(model.line_resnet.norm.running_var.clone())
        model.line_resnet.norm.running_var.copy_(before)
    torch.testing.assert_close(*found, rtol=1e-6, atol=0)


def test_buffers_are_cleared_for_the_next_batch() -> None:
    inputs = StaticInputs(
        pad_shape(Windows(16, 8, margin=16), 64, (5, 140), 18, cut_to_lines=True), CELL, torch.device("cpu")
    )
    for seed, widths in enumerate((WIDTHS[1], WIDTHS[0])):
        images = pixels(widths, seed)
        inputs.fill(images, [3, 5, 1, 2, 4])
        assert torch.equal(inputs.images[..., : images.shape[2]], images)
        assert not inputs.images[..., images.shape[2] :].any()
        assert inputs.lengths.numbers.tolist() == [3, 5, 1, 2, 4]


def test_on_a_cpu_nothing_is_padded() -> None:
    recognizer = tiny_settings("line_cnn").build()
    graphed = GraphedRecognizer(recognizer.model.train(), recognizer.objective)
    images = pixels(WIDTHS[0])
    torch.manual_seed(0)
    (expected,), lengths = recognizer.logits_by_depth(images, WIDTHS[0])
    torch.manual_seed(0)
    (made,), same = graphed.logits_by_depth(images, WIDTHS[0])
    assert torch.equal(made, expected)
    assert same == lengths


@pytest.fixture
def _exact_products() -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def steps(recognizer: Recognizer, batches: list[tuple[Tensor, list[int], list[str]]]) -> list[list[Tensor]]:
    """Loss and gradients of each batch, the weights a step further each time."""
    optimizer = torch.optim.SGD(recognizer.model.parameters(), lr=0.01)
    found = []
    for images, widths, texts in batches:
        every, lengths = recognizer.logits_by_depth(images.cuda(), widths)
        loss = sum(
            (recognizer.objective.loss(logits, lengths, texts) for logits in every), torch.zeros((), device="cuda")
        )
        optimizer.zero_grad()
        loss.backward()
        gradients = [p.grad.clone() for p in recognizer.model.parameters() if p.grad is not None]
        found.append([loss.detach(), *gradients, *[b.clone() for b in recognizer.model.buffers()]])
        optimizer.step()
        del every, loss  # their autograd graph would keep PyTorch from capturing another
    return found


def batches(count: int) -> list[tuple[Tensor, list[int], list[str]]]:
    texts = ["a", "bc", "Def", "gh1", "i j"]
    made = []
    for number in range(count):
        widths = WIDTHS[number % 2]
        made.append((pixels(widths, number), widths, texts[number % 5 :] + texts[: number % 5]))
    return made


@on_gpu
@pytest.mark.usefixtures("_exact_products")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("loss", ["ctc", "ce"])
def test_replayed_steps_equal_plain_steps(name: str, loss: str) -> None:
    changes = {} if name in ("line_cnn", "line_cnn_simple") else {"intermediate": True}
    recognizers = []
    for _ in range(2):
        torch.manual_seed(0)
        recognizer = tiny_settings(name, loss, 20, **changes).build()
        for module in recognizer.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        recognizer.model.cuda().train()
        recognizers.append(recognizer)
    plain, graphed = recognizers[0], GraphedRecognizer(recognizers[1].model, recognizers[1].objective)
    work = batches(CAPTURE_AT_OCCURRENCE + 4)
    for one, other in zip(steps(plain, work), steps(graphed, work), strict=True):
        for expected, made in zip(one, other, strict=True):
            torch.testing.assert_close(made, expected, rtol=1e-3, atol=1e-4)
    assert graphed.graphs._passes


@on_gpu
@pytest.mark.usefixtures("_exact_products")
def test_graphs_are_dropped_when_weights_move() -> None:
    torch.manual_seed(0)
    recognizer = tiny_settings("line_cnn", "ctc", 20).build()
    recognizer.model.dropout.p = 0.0
    graphed = GraphedRecognizer(recognizer.model.cuda().train(), recognizer.objective)
    steps(graphed, batches(CAPTURE_AT_OCCURRENCE + 1))
    recognizer.model.cpu()
    where_they_were = [torch.zeros_like(parameter, device="cuda") for parameter in recognizer.model.parameters()]
    recognizer.model.cuda()
    images, widths = pixels(WIDTHS[0]).cuda(), WIDTHS[0]
    for _ in range(CAPTURE_AT_OCCURRENCE + 1):
        (made,), _ = graphed.logits_by_depth(images, widths)
        (expected,), lengths = recognizer.logits_by_depth(images, widths)
        for line, length in enumerate(lengths):
            torch.testing.assert_close(made[line, :, :length], expected[line, :, :length], rtol=1e-3, atol=1e-4)
        del made, expected  # their autograd graph would keep PyTorch from capturing another
    assert not any(zeros.any() for zeros in where_they_were)


@on_gpu
def test_each_replay_has_its_own_dropout() -> None:
    recognizer = tiny_settings("line_cnn", "ctc", 20, fc_dim=128).build()
    graphed = GraphedRecognizer(recognizer.model.cuda().train(), recognizer.objective)
    images = pixels(WIDTHS[0]).cuda()
    made = [graphed.logits_by_depth(images, WIDTHS[0])[0][0].detach().clone() for _ in range(CAPTURE_AT_OCCURRENCE + 3)]
    assert all(not torch.equal(one, other) for one, other in pairwise(made))


@on_gpu
def test_replays_under_autocast_see_new_weights() -> None:
    torch.manual_seed(0)
    recognizer = tiny_settings("line_cnn", "ctc", 20).build()
    recognizer.model.dropout.p = 0.0
    graphed = GraphedRecognizer(recognizer.model.cuda().train(), recognizer.objective)
    images = pixels(WIDTHS[0]).cuda()
    for scale in (1.0, 1.0, 0.5, 3.0):
        with torch.no_grad():
            recognizer.model.fc2.weight.mul_(scale)
        with torch.autocast("cuda", torch.bfloat16):
            (made,), _ = graphed.logits_by_depth(images, WIDTHS[0])
            (expected,), lengths = recognizer.logits_by_depth(images, WIDTHS[0])
        for line, length in enumerate(lengths):
            one, other = made[line, :, :length], expected[line, :, :length]
            torch.testing.assert_close(one.float(), other.float(), rtol=0.05, atol=0.05)
        del made, expected, one, other  # their autograd graph would keep PyTorch from capturing another


@on_gpu
@pytest.mark.parametrize("name", ["line_cnn", "line_cnn_lstm", "line_resnet_lstm"])
def test_the_time_of_a_capture_does_not_change_results(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # So that neither a training's interruption nor the room on a GPU does. Dropout is on.
    found = []
    for comes_again in (2, 4, 10**9):
        monkeypatch.setattr("pipeline.training.cuda_graphs.CAPTURE_AT_OCCURRENCE", comes_again)
        torch.manual_seed(0)
        recognizer = tiny_settings(name, "ce", 20).build()  # whose gradients are summed in one order
        graphed = GraphedRecognizer(recognizer.model.cuda().train(), recognizer.objective)
        found.append(steps(graphed, batches(8)))
        assert bool(graphed.graphs._passes) == (comes_again < 10)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert all(torch.equal(mine, its) for mine, its in zip(one, other, strict=True))
