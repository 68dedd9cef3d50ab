from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.data.transcriptions.layout import read_layout
from pipeline.data.transcriptions.pages import fit_to_image, read_pages
from pipeline.settings.own_lines import OwnLinesSettings, SplitParts
from tests.data.transcriptions.drawn import alto, draw_page, page_xml

LINES = [("first", [(20, 50), (300, 50)]), ("second", [(20, 120), (300, 130)])]
PARTS = SplitParts(by="split", validation=0.2, test=0.2, seed=1)


def settings(**changes: object) -> OwnLinesSettings:
    return OwnLinesSettings(format="pages", path=".", parts=PARTS, **changes)


def write_page(folder: Path, name: str, image: str | None = None, xml: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draw_page(folder / (image or f"{name}.png"), [baseline for _, baseline in LINES])
    (folder / f"{name}.xml").write_text(xml or alto(image or f"{name}.png", LINES), encoding="utf-8")


def test_lines_of_both_formats_in_the_order_of_their_pages(tmp_path: Path) -> None:
    write_page(tmp_path / "b", "page")
    write_page(tmp_path / "a", "page", xml=page_xml("page.png", LINES))
    (tmp_path / "METS.xml").write_text("<mets/>")
    lines = list(read_pages(settings(), tmp_path))
    assert [(line.name, line.page, line.group, line.text) for line in lines] == [
        ("a/page l0", "a/page", "a/page", "first"),
        ("a/page l1", "a/page", "a/page", "second"),
        ("b/page l0", "b/page", "b/page", "first"),
        ("b/page l1", "b/page", "b/page", "second"),
    ]
    assert lines[0].width(30) == 280
    assert lines[0].draw(30).size == (280, 30)
    assert np.array_equal(np.asarray(lines[0].draw(30)), np.asarray(lines[2].draw(30)))


def test_a_group_by_a_regular_expression(tmp_path: Path) -> None:
    for name in ("anna_1", "anna_2", "ben_1"):
        write_page(tmp_path, name)
    lines = read_pages(settings(group="^(.*)_"), tmp_path)
    assert [line.group for line in lines] == ["anna", "anna", "anna", "anna", "ben", "ben"]


@pytest.mark.parametrize("image", ["scan.JPG", "page.tif", "page.jpeg"])
def test_the_image_has_another_name_or_extension_than_the_xml_says(tmp_path: Path, image: str) -> None:
    named = image if image == "scan.JPG" else "C:\\scans\\page.png"
    write_page(tmp_path, "page", image, xml=alto(named, LINES))
    assert next(read_pages(settings(), tmp_path)).draw(30).size == (280, 30)


def test_points_are_scaled_to_a_smaller_copy_of_the_image(tmp_path: Path) -> None:
    write_page(tmp_path, "page")
    with Image.open(tmp_path / "page.png") as page:
        page.resize((200, 150), Image.Resampling.BOX).save(tmp_path / "page.png")
    line = next(read_pages(settings(), tmp_path))
    assert line.width(30) == 280
    ink = np.flatnonzero(np.asarray(line.draw(30))[:, 140] < 128)
    assert abs(ink[0] - 10) <= 2
    assert abs(ink[-1] - 20) <= 2


def test_a_page_turned_by_its_exif_data(tmp_path: Path) -> None:
    write_page(tmp_path, "page", "page.jpg")
    with Image.open(tmp_path / "page.jpg") as page:
        straight = np.asarray(next(read_pages(settings(), tmp_path)).draw(30), dtype=int)
        turned = page.transpose(Image.Transpose.ROTATE_90)
        exif = turned.getexif()
        exif[0x0112] = 6  # the viewer turns it by 90 degrees clockwise
        turned.save(tmp_path / "page.jpg", exif=exif, quality=95)
    drawn = np.asarray(next(read_pages(settings(), tmp_path)).draw(30), dtype=int)
    assert np.abs(drawn - straight).mean() < 4


def test_a_line_without_a_shape_has_no_text(tmp_path: Path) -> None:
    draw_page(tmp_path / "page.png", [])
    (tmp_path / "page.xml").write_text("<PcGts><Page><TextLine id='x'/></Page></PcGts>")
    (line,) = read_pages(settings(), tmp_path)
    assert (line.name, line.text) == ("page x", "")


def refusal(folder: Path, **changes: object) -> str:
    with pytest.raises(InputError) as error:
        list(read_pages(settings(**changes), folder))
    return str(error.value)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: no page; expected ALTO or PAGE XML files (*.xml)"
    write_page(tmp_path, "page")
    assert refusal(tmp_path, group="(x)") == "own_lines.….group: '(x)' matches nothing in 'page'"
    assert refusal(tmp_path, group="page").startswith(
        "own_lines.….group: 'page' is no regular expression with one group"
    )
    (tmp_path / "page.png").unlink()
    assert refusal(tmp_path) == f"{tmp_path / 'page.xml'}: has no image; expected page.png beside it"


def test_an_image_of_other_proportions_is_refused(tmp_path: Path) -> None:
    write_page(tmp_path, "page")
    Image.new("L", (300, 400)).save(tmp_path / "page.png")
    assert refusal(tmp_path) == (
        f"{tmp_path / 'page.xml'}: is written for an image of 400 x 300 pixels, and its image has 300 x 400"
    )


def test_points_far_beyond_the_image_are_moved_towards_it(tmp_path: Path) -> None:
    far = [(20, 50), (300, 50), (99_999, 50)]
    write_page(tmp_path, "page", xml=alto("page.png", [("far", far), ("above", [(-5, -900_000), (300, 30)])]))
    first, second = fit_to_image(read_layout(tmp_path / "page.xml"), (400, 300))
    assert first.baseline == ((20, 50), (300, 50), (500, 50))
    assert second.baseline == ((-5, -75), (300, 30))
    assert next(read_pages(settings(), tmp_path)).draw(30).size == (480, 30)
