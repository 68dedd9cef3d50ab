from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.common.vocabulary import EMNIST
from pipeline.plots.predictions import draw_predictions, show_spaces_at_ends
from tests.report.pictures import read_png

BACKGROUND = np.zeros((28, 112), dtype=np.uint8)
INK = np.full((28, 112), 255, dtype=np.uint8)


def draw(
    path: Path,
    texts: Sequence[str],
    predictions: Sequence[Sequence[tuple[str, str]]],
    image: NDArray[np.uint8] = BACKGROUND,
) -> NDArray[np.float64]:
    draw_predictions(path, [image] * len(texts), texts, predictions)
    return read_png(path)


def coloured(picture: NDArray[np.float64]) -> tuple[bool, bool]:
    """Whether there is red and whether there is green writing in the picture."""
    red, green, _ = np.moveaxis(picture, 2, 0)
    return bool((red - green > 0.3).sum() > 10), bool((green - red > 0.2).sum() > 10)


def test_a_prediction_is_red_where_it_is_wrong_and_else_green(tmp_path: Path) -> None:
    assert coloured(draw(tmp_path / "a.png", ["word"], [[("a", "word")]])) == (False, True)
    assert coloured(draw(tmp_path / "b.png", ["word"], [[("a", "Word")]])) == (True, False)


def test_each_line_has_rows_for_its_text_and_its_predictions(tmp_path: Path) -> None:
    # 110 pixels an inch, 0.42 for a line's image and 0.17 for each row of text
    one = draw(tmp_path / "a.png", ["word"], [[("a", "word")]])
    assert one.shape[:2] == (int(110 * (0.42 + 2 * 0.17)), 880)
    two = draw(tmp_path / "b.png", ["word", "text"], [[("a", "word")], [("a", ""), ("b", "text"), ("c", "txet")]])
    assert two.shape[:2] == (int(110 * (2 * 0.42 + 6 * 0.17)), 880)
    first, second = np.split(two, [int(110 * (0.42 + 2 * 0.17))])
    assert (coloured(first), coloured(second)) == ((False, True), (True, True))


def test_ink_is_black_on_a_white_background(tmp_path: Path) -> None:
    blank, inked = (draw(tmp_path / "a.png", ["m"], [[("a", "m")]], image) for image in (BACKGROUND, INK))
    height, width = int(0.42 * 0.8 * 110), int(0.42 * 0.8 * 4 * 110)
    black = (blank == 1).all(axis=2) & (inked == 0).all(axis=2)
    assert black.sum() == pytest.approx(height * width, rel=0.1)
    assert (blank == inked).all(axis=2).sum() == pytest.approx(blank[..., 0].size - height * width, rel=0.1)


def test_a_long_line_stays_inside(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    draw_predictions(path, [np.full((28, 5000), 255, np.uint8)], ["m" * 10], [[("a", "")]])
    picture = read_png(path)
    assert (picture[:, -5:] == 1).all()
    assert (picture[:, :5] == 1).all()
    assert (picture == 0).all(axis=2).sum() > 800


# Where matplotlib reads a text as a formula or finds no glyph, it raises or warns.
@pytest.mark.parametrize("text", [EMNIST.characters, "$a$", r"$\frac{", "a_b^c", "%d {0}", "NA", "007", " ", ""])
def test_any_text_is_written_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    written = []
    write = Figure.text

    def spy(figure: Figure, x: float, y: float, line: str, **options: object) -> object:
        written.append((line, options["parse_math"]))
        return write(figure, x, y, line, **options)

    monkeypatch.setattr(Figure, "text", spy)
    draw(tmp_path / "a.png", [text], [[("lstm_ctc_variable", text), ("other", "x" + text)]])
    wrong = "x␣" if text == " " else "x" + text
    columns = [("text", text), ("lstm_ctc_variable", text), ("other", wrong)]
    assert written == [(name + " " * (23 - len(name)) + line, False) for name, line in columns]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("among ", "among␣"), ("  life among", "␣␣life among"), (" a ", "␣a␣"), ("  ", "␣␣"), ("", ""), ("a b", "a b")],
)
def test_spaces_at_the_ends_can_be_seen(text: str, shown: str) -> None:
    assert show_spaces_at_ends(text) == shown


def test_predictions_are_aligned_whatever_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(Figure, "text", lambda figure, x, y, line, **options: written.append(line))
    draw(tmp_path / "a.png", ["word"], [[("a" * 30, "word"), ("b", "word")]])
    assert [line.index("word") for line in written] == [31, 31, 31]


def test_the_same_lines_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, ["word"], [[("a", "ward")]])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    draw(tmp_path / "c.png", ["word"], [[("a", "wurd")]])
    assert (tmp_path / "c.png").read_bytes() != (tmp_path / "a.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]
