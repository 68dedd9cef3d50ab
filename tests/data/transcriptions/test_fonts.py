import shutil
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from pipeline.common.errors import InputError
from pipeline.data.transcriptions.fonts import LENGTHS, Font, find_box, place_words, read_fonts
from pipeline.settings.own_lines import OwnLinesSettings, SplitParts

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
TEXT = "le petit élève écrit une lettre à Nîmes"


def settings(lines: int = 20) -> OwnLinesSettings:
    parts = SplitParts(by="split", validation=0.3, test=0.3, seed=1)
    return OwnLinesSettings(format="fonts", path=".", font_lines=lines, parts=parts)


def write_folder(
    folder: Path, text: str = TEXT, fonts: tuple[str, ...] = ("DejaVuSans.ttf", "DejaVuSerif.ttf")
) -> Path:
    folder.mkdir(exist_ok=True)
    for font in fonts:
        shutil.copy(FONTS / font, folder)
    (folder / "text.txt").write_text(text, encoding="utf-8")
    return folder


def test_lines_are_words_of_the_text_that_follow_each_other(tmp_path: Path) -> None:
    lines = list(read_fonts(settings(), write_folder(tmp_path)))
    assert len(lines) == len({line.name for line in lines}) == 20
    assert {line.group for line in lines} == {"DejaVuSans", "DejaVuSerif"}
    assert all(f" {line.text} " in f" {TEXT}" * 4 + " " for line in lines)
    assert all(LENGTHS[0] <= len(line.text) < LENGTHS[1] + max(map(len, TEXT.split())) for line in lines)


def test_the_same_folder_gives_the_same_lines(tmp_path: Path) -> None:
    first, second = (list(read_fonts(settings(3), write_folder(tmp_path))) for _ in range(2))
    assert [line.text for line in first] == [line.text for line in second]
    for one, other in zip(first, second, strict=True):
        assert one.draw(48).tobytes() == other.draw(48).tobytes()


@pytest.mark.parametrize("height", [28, 48])
def test_a_line_has_its_height_and_blank_edges(tmp_path: Path, height: int) -> None:
    for line in read_fonts(settings(5), write_folder(tmp_path)):
        image = np.asarray(line.draw(height))
        assert image.shape == (height, line.width(height))
        assert image.min() < 128
        assert (image[[0, -1]] > 250).all()
        assert (image[:, [0, -1]] > 250).all()


def test_a_line_of_low_letters_is_as_small_as_others(tmp_path: Path) -> None:
    """Its box holds an h and a p although it has neither."""
    font = Font(FONTS / "DejaVuSans.ttf")
    heights = []
    for text in (["noms"], ["hop"]):
        _, top, _, bottom = find_box([(0, 0, text[0])], font)
        heights.append(bottom - top)
    assert heights[0] == heights[1]


def test_words_do_not_overlap() -> None:
    font = Font(FONTS / "DejaVuSans.ttf")
    places = place_words(["un", "deux", "trois"], font, np.random.default_rng(0))
    for (left, _, word), (right, _, _) in pairwise(places):
        assert right - left > font.face.getlength(word) + 0.5 * font.face.getlength(" ")


def test_a_font_leaves_out_words_that_it_cannot_draw(tmp_path: Path) -> None:
    lines = list(read_fonts(settings(5), write_folder(tmp_path, "deux 漢字 mots")))
    assert {word for line in lines for word in line.text.split()} == {"deux", "mots"}


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        list(read_fonts(settings(), folder))
    return str(error.value)


def test_what_is_missing_or_no_font_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: needs fonts (.otf, .ttf, .woff, .woff2) and texts (.txt)"
    write_folder(tmp_path, "漢字", ("DejaVuSans.ttf",))
    assert refusal(tmp_path) == f"{tmp_path}/DejaVuSans.ttf: can draw no word of the texts; remove it from the folder"
    (tmp_path / "DejaVuSans.ttf").write_bytes(b"no font")
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path}/DejaVuSans.ttf: cannot be read as a font (")
    assert message.endswith("); remove it from the folder")
