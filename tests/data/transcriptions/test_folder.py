from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.data.transcriptions.folder import read_folder
from pipeline.settings.own_lines import OwnLinesSettings, SplitParts

SETTINGS = OwnLinesSettings(format="folder", path=".", parts=SplitParts(by="split", validation=0.2, test=0.2, seed=1))


def write_line(
    folder: Path, name: str, text: str = "text", picture: str = "{}.png", size: tuple[int, int] = (120, 40)
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, 200).save(folder / picture.format(name))
    (folder / f"{name}.gt.txt").write_text(text, encoding="utf-8")


def test_lines_with_their_folders_as_groups(tmp_path: Path) -> None:
    write_line(tmp_path / "anna", "2", "zwei", "{}.tif")
    write_line(tmp_path / "anna", "1", "\ufeffeins", "{}.JPG")
    write_line(tmp_path / "ben", "1", "two")
    lines = list(read_folder(SETTINGS, tmp_path))
    assert [(line.name, line.page, line.group, line.text) for line in lines] == [
        ("anna/1", "anna/1", "anna", "eins"),
        ("anna/2", "anna/2", "anna", "zwei"),
        ("ben/1", "ben/1", "ben", "two"),
    ]


@pytest.mark.parametrize("height", [20, 40, 48])
def test_a_picture_is_scaled_to_the_height(tmp_path: Path, height: int) -> None:
    write_line(tmp_path, "line")
    (line,) = read_folder(SETTINGS, tmp_path)
    assert line.width(height) == 3 * height
    drawn = line.draw(height)
    assert drawn.size == (3 * height, height)
    assert np.asarray(drawn).min() == np.asarray(drawn).max() == 200


def test_groups_by_a_regular_expression(tmp_path: Path) -> None:
    for name in ("anna-01", "anna-02", "ben-01"):
        write_line(tmp_path, name)
    settings = SETTINGS.model_copy(update={"group": r"^(\w+)-"})
    assert [line.group for line in read_folder(settings, tmp_path)] == ["anna", "anna", "ben"]


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        [line.draw(48) for line in read_folder(SETTINGS, folder)]
    return str(error.value)


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path) == f"{tmp_path}: no line; expected pictures such as line.png with their texts in line.gt.txt"
    )
    write_line(tmp_path, "line")
    (tmp_path / "line.gt.txt").write_bytes(b"\xff")
    assert refusal(tmp_path).startswith(f"{tmp_path / 'line.gt.txt'}: not UTF-8 (")
    write_line(tmp_path, "line")
    (tmp_path / "line.png").write_bytes(b"no picture")
    assert refusal(tmp_path) == f"{tmp_path / 'line.png'}: not a picture in a known format; use PNG or JPEG"
    (tmp_path / "line.png").unlink()
    assert refusal(tmp_path) == f"{tmp_path / 'line.gt.txt'}: has no picture; expected line.png beside it"
