from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.report.figures.cer_chart import COLOURS, draw_cer_chart
from tests.report.pictures import count_pixels, read_png


def table(rates: list[float], losses: list[str]) -> pd.DataFrame:
    names = [f"experiment_{number}" for number in range(len(rates))]
    return pd.DataFrame({"experiment": names, "loss": losses, "test_cer": rates, "test_cer_std": float("nan")})


def bars(path: Path, rates: list[float], losses: list[str], data: str = "own characters") -> dict[str, int]:
    """How many pixels each loss's colour has in the picture."""
    draw_cer_chart(path, table(rates, losses), data)
    picture = read_png(path)
    return {loss: count_pixels(picture, colour) for loss, colour in COLOURS.items()}


def test_bars_are_proportional_to_the_rates_and_coloured_by_loss(tmp_path: Path) -> None:
    one = bars(tmp_path / "a.png", [0.8, 0.2], ["ce", "ctc"])
    # Bars are equally thick, so areas are as lengths; the legend adds a patch to either.
    assert 3 < one["ce"] / one["ctc"] < 4.2
    other = bars(tmp_path / "b.png", [0.8, 0.2], ["ctc", "ce"])
    assert 3 < other["ctc"] / other["ce"] < 4.2


def test_the_spread_over_seeds_is_a_black_line(tmp_path: Path) -> None:
    spreads = (float("nan"), 0.05, 0.2)
    black = []
    for spread in spreads:
        draw_cer_chart(tmp_path / "a.png", table([0.5], ["ctc"]).assign(test_cer_std=spread), "data")
        picture = read_png(tmp_path / "a.png")
        black.append(int((picture[..., :3] < 0.05).all(axis=-1).sum()))
    assert black[0] < black[1] < black[2]


@pytest.mark.parametrize("losses", [["ce", "ce"], ["ctc", "ctc"]])
def test_a_loss_without_experiments_has_no_bar(tmp_path: Path, losses: list[str]) -> None:
    areas = bars(tmp_path / "a.png", [0.5, 0.25], losses)
    assert [loss for loss, area in areas.items() if area] == losses[:1]


def test_the_picture_grows_with_the_number_of_experiments(tmp_path: Path) -> None:
    sizes = []
    for count in (1, 9, 40):
        draw_cer_chart(tmp_path / "a.png", table([0.1 * (n % 9) for n in range(count)], ["ctc"] * count), "data")
        sizes.append(read_png(tmp_path / "a.png").shape[:2])
    # 110 pixels an inch; 0.9 inches and 0.36 more for each experiment
    assert sizes == [(138, 880), (455, 880), (1683, 880)]


@pytest.mark.parametrize("rates", [[0.0, 0.0], [1.5, 0.001]])
def test_extreme_rates_can_be_drawn(tmp_path: Path, rates: list[float]) -> None:
    bars(tmp_path / "a.png", rates, ["ce", "ctc"])
    assert np.ptp(read_png(tmp_path / "a.png")) > 0.9


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_cer_chart(tmp_path / name, table([0.25, 0.5], ["ce", "ctc"]), "EMNIST ByClass")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    draw_cer_chart(tmp_path / "c.png", table([0.25, 0.5], ["ce", "ctc"]), "built-in glyphs")
    assert (tmp_path / "c.png").read_bytes() != (tmp_path / "a.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]
