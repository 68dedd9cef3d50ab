import numpy as np
import pytest

from pipeline.report.analysis import bootstrap
from pipeline.report.analysis.bootstrap import Estimate, estimate, resample_sums


def test_a_resample_has_as_many_lines_as_the_data() -> None:
    counts = resample_sums(np.eye(7), np.random.default_rng(0), 500)
    assert counts.shape == (500, 7)
    assert (counts == np.round(counts)).all()
    assert (counts.sum(1) == 7).all()
    assert counts.min() == 0
    # How often one of 7 lines is drawn in 7 draws: mean 1, variance 7 * (1/7) * (6/7).
    np.testing.assert_allclose(counts.mean(0), 1, atol=0.15)
    np.testing.assert_allclose(counts.var(0), 6 / 7, atol=0.2)


def test_columns_use_the_same_draws() -> None:
    values = np.random.default_rng(1).random((40, 1))
    sums = resample_sums(np.hstack([values, 3 * values]), np.random.default_rng(0), 50)
    np.testing.assert_allclose(sums[:, 1], 3 * sums[:, 0])
    assert np.ptp(sums[:, 0]) > 0


def test_identical_lines_have_no_spread() -> None:
    assert (resample_sums(np.full((9, 1), 2.0), np.random.default_rng(0), 20) == 18).all()
    assert (resample_sums(np.array([[5.0]]), np.random.default_rng(0), 20) == 5).all()


def test_the_size_of_the_chunks_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).integers(0, 9, (30, 2)).astype(float)
    whole = resample_sums(values, np.random.default_rng(0), 101)
    for draws in (1, 30, 31, 200):
        monkeypatch.setattr(bootstrap, "MAX_DRAWS", draws)
        np.testing.assert_array_equal(resample_sums(values, np.random.default_rng(0), 101), whole)


def test_the_draws_depend_only_on_the_generator() -> None:
    values = np.arange(20.0)[:, None]
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    first, again, other = (resample_sums(values, np.random.default_rng(seed), 10) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_interval_of_a_fraction_matches_the_normal_distribution(share: float) -> None:
    lines = 1000
    wrong = np.arange(lines) < share * lines
    found = estimate(share, resample_sums(wrong[:, None].astype(float), np.random.default_rng(0))[:, 0] / lines)
    half = 1.96 * (share * (1 - share) / lines) ** 0.5
    assert found.low == pytest.approx(share - half, abs=0.12 * half)
    assert found.high == pytest.approx(share + half, abs=0.12 * half)


def test_an_interval_contains_the_central_resamples() -> None:
    found = estimate(7.0, np.random.default_rng(0).permutation(1001).astype(float))
    assert (found.value, found.low, found.high) == (7.0, pytest.approx(25), pytest.approx(975))


@pytest.mark.parametrize(
    ("low", "high", "excluded"), [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0, 1, False)]
)
def test_an_interval_with_zero_in_it_says_nothing(low: float, high: float, excluded: bool) -> None:
    assert Estimate(0.0, low, high).excludes_zero is excluded
