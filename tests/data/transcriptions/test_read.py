import unicodedata
from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.data.transcriptions.draw import draw_lines
from pipeline.data.transcriptions.read import read_transcriptions
from tests.data.transcriptions.test_folder import SETTINGS, write_line


def test_texts_are_composed_and_lines_without_text_are_counted(tmp_path: Path) -> None:
    write_line(tmp_path, "1", unicodedata.normalize("NFD", " Été  à\tNîmes\n"))
    write_line(tmp_path, "2", " \n")
    write_line(tmp_path, "3", "a", size=(20_000, 40))
    lines, left_out = read_transcriptions(SETTINGS, tmp_path)
    assert [line.text for line in lines] == ["Été à Nîmes"]
    assert left_out == {"no text or no outline": 1, "too wide for a line": 1}


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file or folder$"):
        read_transcriptions(SETTINGS, tmp_path / "nowhere")
    write_line(tmp_path, "1", "")
    with pytest.raises(InputError, match=r"has no line with a text$"):
        read_transcriptions(SETTINGS, tmp_path)


def test_lines_are_drawn_in_blocks(tmp_path: Path) -> None:
    for number in range(5):
        write_line(tmp_path, str(number), f"text {number}", size=(40 * (number + 1), 40))
    lines, _ = read_transcriptions(SETTINGS, tmp_path)
    blocks = list(draw_lines(lines, 20, 9, 2))
    assert [block.texts for block in blocks] == [["text 0", "text 1"], ["text 2", "text 3"], ["text 4"]]
    assert [block.widths.tolist() for block in blocks] == [[20, 40], [60, 80], [100]]
    assert [block.images.shape for block in blocks] == [(2, 20, 40), (2, 20, 80), (1, 20, 100)]
    assert blocks[0].starts.shape == blocks[0].image_numbers.shape == (2, 9)
    assert blocks[2].groups == ["."]
    assert not blocks[0].images[:].any()  # grey pictures without ink
