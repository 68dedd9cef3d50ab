from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST, EMNIST_CHARACTERS, UNDRAWN_CHARACTERS
from pipeline.data.storage.characters import Characters
from pipeline.data.storage.lines import Lines
from pipeline.data.synthesis.renderer import LineRenderer
from pipeline.settings.lines import LinesSettings
from tests.archives import make_characters
from tests.data.synthesis.inputs import flat, line_settings

ONE_EACH = make_characters(1, seed=0)
MANY = make_characters(5, seed=1)


def write(texts: Sequence[str], options: LinesSettings, characters: Characters = ONE_EACH, seed: int = 0) -> Lines:
    return LineRenderer(characters, options).render(texts, np.random.default_rng(seed))


def draw_slowly(text: str, starts: Sequence[int], glyphs: dict[str, np.ndarray], width: int) -> np.ndarray:
    """The line pixel by pixel, with Python's own integers."""
    image = [[0] * width for _ in range(28)]
    for character, start in zip(text, starts, strict=True):
        if character in glyphs:
            for row, pixels in enumerate(glyphs[character].tolist()):
                for column, ink in enumerate(pixels):
                    image[row][start + column] = min(255, image[row][start + column] + ink)
    return np.array(image)


GLYPHS = {character: ONE_EACH.images[label] for label, character in enumerate(EMNIST_CHARACTERS)}


@given(
    st.lists(st.text(st.sampled_from(EMNIST.characters), min_size=1, max_size=4), min_size=1, max_size=3),
    st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)).map(sorted),
    st.sampled_from(["line", "character"]),
)
@settings(max_examples=30, deadline=None)
def test_lines_are_those_drawn_pixel_by_pixel(texts: list[str], overlaps: list[float], overlap_per: str) -> None:
    lines = write(texts, line_settings(6, (overlaps[0], overlaps[1]), overlap_per))
    assert lines.images.dtype == np.uint8
    assert lines.images.shape == (len(texts), 28, 168)
    for text, image, starts in zip(texts, lines.images, lines.starts.tolist(), strict=True):
        np.testing.assert_array_equal(image, draw_slowly(text, starts[: len(text)], GLYPHS, 168))


def test_ink_adds_up_and_saturates() -> None:
    # At 0.5 a cell begins every 14 pixels, so two cells meet on pixels 14 to 27.
    half = line_settings(4, (0.5, 0.5))
    (image,) = write(["ab"], half, flat(100)).images
    assert image[5].tolist() == [100] * 14 + [200] * 14 + [100] * 14 + [0] * 70
    (image,) = write(["ab"], half, flat(128)).images
    assert image[27].tolist() == [128] * 14 + [255] * 14 + [128] * 14 + [0] * 70
    (image,) = write(["ab"], half, flat(255)).images
    assert image[0].tolist() == [255] * 42 + [0] * 70
    # At 0.75 one begins every 7 pixels: three of 100 saturate where two do not.
    (image,) = write(["abc"], line_settings(4, (0.75, 0.75)), flat(100)).images
    assert image[0].tolist() == [100] * 7 + [200] * 7 + [255] * 14 + [200] * 7 + [100] * 7 + [0] * 70


def test_starts_and_widths_by_hand() -> None:
    texts = ["abc", "a", "a b ?"]
    lines = write(texts, line_settings(8, (0.25, 0.25)))
    assert lines.starts.dtype == lines.widths.dtype == np.uint16
    assert lines.starts.tolist() == [
        [0, 21, 42, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 21, 42, 63, 84, 0, 0, 0],
    ]
    assert lines.widths.tolist() == [70, 28, 112]
    assert lines.texts == texts
    assert write(texts, line_settings(8, (0.0, 0.0))).widths.tolist() == [84, 28, 140]
    assert write(texts, line_settings(8, (0.33, 0.33))).widths.tolist() == [66, 28, 104]  # 28 - int(9.24)


@pytest.mark.parametrize("max_length", [16, 32, 34])
def test_the_canvas_is_28_pixels_for_each_target(max_length: int) -> None:
    text = "a" * (max_length - 2)
    lines = write([text], line_settings(max_length, (0.0, 0.0)))
    assert lines.images.shape == (1, 28, {16: 448, 32: 896, 34: 952}[max_length])
    assert lines.starts.shape == (1, max_length)
    assert lines.widths.tolist() == [28 * (max_length - 2)]
    assert not lines.images[..., -56:].any()


def test_a_text_that_fills_the_canvas_reaches_its_edge() -> None:
    lines = write(["aaaa"], line_settings(4, (0.0, 0.0)), flat(7))
    assert lines.widths.tolist() == [112]
    assert (lines.images == 7).all()


def test_space_and_punctuation_are_empty_cells() -> None:
    lines = write([UNDRAWN_CHARACTERS], line_settings(20, (0.25, 0.25)), flat(255))
    assert not lines.images.any()
    assert lines.widths.tolist() == [16 * 21 + 28]
    (image,) = write(["a b"], line_settings(4, (0.0, 0.0)), flat(9)).images
    assert image[0].tolist() == [9] * 28 + [0] * 28 + [9] * 28 + [0] * 28


def test_overlap_per_line_and_per_character() -> None:
    texts = ["a" * 30] * 50
    steps = {}
    for overlap_per in ("line", "character"):
        starts = write(texts, line_settings(32, (0.0, 0.33), overlap_per)).starts[:, :30].astype(int)
        assert (starts[:, 0] == 0).all()
        steps[overlap_per] = np.diff(starts, axis=1)
        # int(28 x 0.33) = 9: from 28 - 9 to 28 pixels, and each of them occurs.
        assert steps[overlap_per].min() == 19
        assert steps[overlap_per].max() == 28
    assert all(len(set(row)) == 1 for row in steps["line"].tolist())
    assert len({row[0] for row in steps["line"].tolist()}) > 5
    assert all(len(set(row)) > 3 for row in steps["character"].tolist())


def test_overlaps_are_uniform() -> None:
    # Overlaps of [0, 0.5) of 28 pixels: 0 to 13 pixels, each as likely.
    starts = write(["a" * 30] * 400, line_settings(32, (0.0, 0.5))).starts[:, :30].astype(int)
    counts = Counter(np.diff(starts, axis=1).ravel().tolist())
    assert set(counts) == set(range(15, 29))
    expected = 400 * 29 / 14
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 40  # chi-square, 13 degrees


def test_one_image_per_distinct_character_and_line() -> None:
    texts = ["abab aBba"] * 40
    lines = write(texts, line_settings(12, (0.0, 0.0)), MANY)
    drawn: dict[str, Counter[bytes]] = {"a": Counter(), "b": Counter(), "B": Counter()}
    for text, image in zip(lines.texts, lines.images, strict=True):
        cells = [image[:, 28 * place : 28 * place + 28].tobytes() for place in range(len(text))]
        for character, seen in drawn.items():
            (cell,) = {cell for cell, wanted in zip(cells, text, strict=True) if wanted == character}
            seen[cell] += 1
    for character, seen in drawn.items():
        label = EMNIST_CHARACTERS.index(character)
        assert set(seen) == {MANY.images[index].tobytes() for index in range(5 * label, 5 * label + 5)}


def test_image_numbers_say_which_image_each_character_is() -> None:
    shuffled = MANY.take(np.random.default_rng(2).permutation(len(MANY)))
    lines = write(["ab A!", "ba", "9"] * 20, line_settings(7, (0.0, 0.0)), shuffled)
    assert lines.image_numbers.dtype == np.int32
    for text, image, numbers in zip(lines.texts, lines.images, lines.image_numbers.tolist(), strict=True):
        for place, number in enumerate(numbers):
            drawn = place < len(text) and text[place] in EMNIST_CHARACTERS
            assert (number >= 0) is drawn
            if drawn:
                np.testing.assert_array_equal(image[:, 28 * place : 28 * place + 28], shuffled.images[number])


def test_every_image_of_a_class_is_as_likely_in_any_order() -> None:
    # Classes of different sizes, out of order; the image tells its class and number.
    counts = [1 + label % 4 for label in range(62)]
    labels = np.repeat(np.arange(62, dtype=np.uint8), counts)
    np.random.default_rng(3).shuffle(labels)
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None].repeat(28, axis=1).repeat(28, axis=2)
    lines = write(["3"] * 2000, line_settings(4, (0.0, 0.0)), Characters(images, labels))
    seen = Counter(lines.images[:, 0, 0].tolist())
    assert set(seen) == set(np.flatnonzero(labels == 3).tolist())
    assert len(seen) == 4
    assert all(400 < count < 600 for count in seen.values())  # 500 expected, standard deviation 19


def test_characters_without_an_image_are_named() -> None:
    some = Characters(ONE_EACH.images[1:], ONE_EACH.labels[1:]).take(np.flatnonzero(np.arange(61) != 59))
    assert write(["ab 12"], line_settings(), some).texts == ["ab 12"]
    with pytest.raises(InputError, match=r"^lines: the characters have no image of '0', 'y'"):
        write(["ab", "0y?"], line_settings(), some)


def test_unknown_characters_are_refused() -> None:
    with pytest.raises(ValueError, match="'é'"):
        write(["é"], line_settings())
