import base64
import re
from xml.etree import ElementTree

import pytest

from pipeline.report.figures.charts import COLOURS, SIZE_INCHES, Series, Style, draw_chart, make_style
from pipeline.report.figures.images import Picture

STYLES = [make_style(0, "ctc"), make_style(1, "ce")]


def svg(picture: Picture) -> str:
    kind, content = picture.uri.split(",")
    assert kind == "data:image/svg+xml;base64"
    return base64.b64decode(content).decode()


def draw(*series: Series, **options: object) -> Picture:
    return draw_chart("A title", series, x_label="epoch", alt="words", **options)


def test_a_chart_is_an_image_with_text_and_a_line_for_each_series() -> None:
    picture = draw(Series([1, 2, 3], [0.5, 0.25, 0.1], STYLES[0]), Series([1, 2], [0.5, 0.4], STYLES[1], faint=True))
    ElementTree.fromstring(svg(picture))
    assert (picture.width, picture.height, picture.alt) == (461, 307, "words")
    text = re.findall(r">([^<>\n]+)</text>", svg(picture))
    assert {"A title", "epoch", "1", "2", "3", "20 %"} <= set(text)
    for style in STYLES:
        assert style.colour in svg(picture)
    assert svg(picture).count("stroke-dasharray") == 1


def test_a_single_point_is_visible() -> None:
    marked = ["<use" in svg(draw(Series(x, x, STYLES[0]))).split("line2d")[-1] for x in ([0.5], [0.5, 0.6])]
    assert marked == [True, False]


def ticks(*y: float) -> list[str]:
    text = re.findall(r">([^<>\n]+)</text>", svg(draw(Series(range(len(y)), y, STYLES[0]))))
    return [word for word in text if word.endswith("%")]


def test_a_logarithmic_axis_has_round_numbers_on_any_range() -> None:
    assert ticks(0.06, 1.0) == ["10 %", "20 %", "50 %", "100 %"]
    assert ticks(0.063, 0.082) == ["6 %", "8 %"]
    assert len(ticks(0.07)) > 1
    assert ticks(0.0, 0.004, 0.03) == ["0.5 %", "1 %", "2 %"]


@pytest.mark.parametrize("log", [True, False])
def test_gaps_and_empty_curves_can_be_drawn(log: bool) -> None:
    nan = float("nan")
    for y in ([], [nan, 0.5], [nan, nan], [0, 0], [0, 1e-9], [0.5, 0.5]):
        series = [Series(range(len(y)), y, STYLES[0])] if y else []
        ElementTree.fromstring(svg(draw(*series, log=log, percent=False)))


def test_a_chart_refers_to_nothing_outside() -> None:
    text = svg(draw(Series([1], [0.5], STYLES[0])))
    assert re.findall(r'href="(?!#)', text) == []
    assert "<script" not in text
    assert "@import" not in text


def test_the_same_numbers_give_the_same_bytes() -> None:
    series = Series([1, 2], [0.5, 0.25], STYLES[0])
    assert draw(series) == draw(series)
    assert draw(series) != draw(Series([1, 2], [0.5, 0.26], STYLES[0]))


def test_charts_fit_on_a_phone() -> None:
    assert SIZE_INCHES[0] < 5


def test_experiments_keep_their_colours_and_losses_their_dashes() -> None:
    assert make_style(3, "ce") == Style(COLOURS[3], "5 3")
    assert make_style(3, "ctc") == Style(COLOURS[3], "")
    assert make_style(3 + len(COLOURS), "ctc").colour == COLOURS[3]
    assert len(set(COLOURS)) == len(COLOURS)


@pytest.mark.parametrize("colour", COLOURS)
def test_colours_have_enough_contrast_with_white(colour: str) -> None:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert 1.05 / (luminance + 0.05) > 4.5  # as WCAG asks of text
