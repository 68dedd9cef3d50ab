import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.baseline import MODELS, compute_loss, edit_distance, error_rate
from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import EMNIST
from pipeline.metrics.error_rates import edit_distances
from pipeline.models.registry import build_model
from pipeline.objectives.registry import build_objective
from tests.tiny import tiny_model

SIZES = {
    "line_cnn_simple": {"conv_dim": 64, "fc_dim": 128},
    "line_cnn": {"conv_dim": 32, "fc_dim": 512},
    "line_cnn_lstm": {"conv_dim": 32, "fc_dim": 512, "lstm_dim": 512},
}


@pytest.mark.parametrize("name", list(MODELS))
def test_baseline_models_have_the_parameters_and_steps_of_the_lecture(name: str) -> None:
    settings = tiny_model(name, window_width=28, window_stride=20, **SIZES[name])
    ours, plain = build_model(settings, EMNIST.num_classes), MODELS[name](28, 20)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in plain.parameters())
    assert plain(torch.zeros(1, 1, 28, 896)).shape == ours(torch.zeros(1, 1, 28, 896)).shape


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_edit_distance_is_levenshteins(a: str, b: str) -> None:
    assert edit_distance([ord(c) for c in a], [ord(c) for c in b]) == edit_distances([a], [b])[0]


def test_losses_and_error_rate_equal_ours_if_lines_fill_their_images() -> None:
    texts = ["abca", "hi B"]
    logits = torch.randn(2, EMNIST.num_classes, 12, generator=torch.Generator().manual_seed(0))
    for loss, positions in (("ce", 12), ("ctc", 4)):
        objective = build_objective(loss, EMNIST, positions, wrap=False)
        expected = objective.loss(logits, [12, 12], texts)
        assert float(compute_loss(loss, logits, objective.encode(texts))) == pytest.approx(float(expected), rel=1e-5)
    ctc = build_objective("ctc", EMNIST, 32, wrap=False)
    assert ctc.lengths(Windows(28, 20), [240, 240]) == [12, 12]
    predictions = [EMNIST.decode(row) for row in ctc.decode(logits, [12, 12]).tolist()]
    expected_rate = edit_distances(predictions, texts).sum() / sum(map(len, texts))
    assert error_rate(logits, ctc.encode(texts)) == pytest.approx(expected_rate)
