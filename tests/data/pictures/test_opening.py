import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from pipeline.common.errors import InputError
from pipeline.data.pictures.opening import open_grey, open_pages, read_size, to_grey

GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)


def encode(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize(
    "values",
    [
        GRADIENT,
        GRADIENT.astype(np.uint16) * 257,
        GRADIENT.astype(np.uint16),
        np.rint(GRADIENT * (4095 / 255)).astype(np.uint16),
        GRADIENT.astype(np.int32) * 257,
        GRADIENT.astype(np.int32) * 100_000,
        (GRADIENT / 255).astype(np.float32),
        GRADIENT.astype(np.float32),
    ],
)
@pytest.mark.parametrize("form", [None, "TIFF"])
def test_every_range_of_values_gives_the_same_grey(values: np.ndarray, form: str | None) -> None:
    picture = Image.fromarray(values)
    grey = open_grey(encode(picture, form), "x") if form else to_grey(picture)
    assert np.array_equal(np.asarray(grey), GRADIENT)


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA", "LA", "CMYK", "YCbCr", "RGBX", "La"])
def test_every_mode_gives_the_same_grey(mode: str) -> None:
    grey = Image.fromarray(GRADIENT)
    steps = {"La": ["LA", "La"], "P": ["P"]}.get(mode, ["RGB", mode])
    picture = grey
    for step in steps:
        picture = picture.convert(step)
    assert np.abs(np.asarray(to_grey(picture), dtype=int) - GRADIENT).max() <= 2


@pytest.mark.parametrize("form", ["BMP", "GIF", "JPEG", "JPEG2000", "PCX", "PPM", "SGI", "TGA", "TIFF", "WEBP"])
def test_every_format_gives_the_same_grey(form: str) -> None:
    grey = Image.fromarray(GRADIENT.repeat(4, 0).repeat(4, 1))
    found = np.asarray(open_grey(encode(grey, form, **({"quality": 95} if form in ("JPEG", "WEBP") else {})), "x"))
    assert np.abs(found.astype(int) - np.asarray(grey)).mean() < 3


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0), (30, 255), (220, 0)])
def test_ink_on_transparency_stands_out(ink: int, paper: int) -> None:
    picture = Image.new("RGBA", (10, 1), (ink, ink, ink, 0))
    picture.putpixel((1, 0), (ink, ink, ink, 255))
    assert np.asarray(to_grey(picture)).tolist() == [[paper, ink, *[paper] * 8]]


def test_transparent_corners_of_paper_are_paper() -> None:
    picture = Image.new("RGBA", (10, 1), (200, 200, 200, 255))
    picture.putpixel((0, 0), (0, 0, 0, 0))
    picture.putpixel((5, 0), (10, 10, 10, 255))
    assert np.asarray(to_grey(picture)).tolist() == [[200] * 5 + [10] + [200] * 4]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_exif_data_say(orientation: int) -> None:
    corner = np.full((20, 40), 255, np.uint8)
    corner[:5, :10] = 0
    ways = [(1, 1, 0), (1, -1, 0), (-1, -1, 0), (-1, 1, 0), (1, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, -1, 1)]
    down, right, transposed = ways[orientation - 1]
    stored = (corner.T if transposed else corner)[::down, ::right]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = encode(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    assert np.array_equal(np.asarray(open_grey(content, "x")), corner)
    assert read_size(content, "x") == (40, 20)


def test_all_pages_of_a_tiff_are_opened() -> None:
    pages = [Image.new("L", (10 + n, 10), 50 * n) for n in range(3)]
    content = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert [page.size for page in open_pages(content, "x")] == [(10, 10), (11, 10), (12, 10)]
    assert [np.asarray(page)[0, 0] for page in open_pages(content, "x")] == [0, 50, 100]
    with pytest.raises(InputError, match=r"^x: has 3 pages; save each page as a picture of its own$"):
        open_grey(content, "x")


def test_of_an_animation_the_first_frame_is_opened() -> None:
    frames = [Image.new("L", (10, 10), 255 * n) for n in range(2)]
    assert np.asarray(open_grey(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]), "x")).max() == 0


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("text")
    for path, reason in ((tmp_path / "none.png", "no such file"), (tmp_path / "text.png", "not a picture")):
        with pytest.raises(InputError, match=f"^name: {reason}"):
            open_grey(path, "name")


def test_damaged_files_are_refused_in_a_short_line() -> None:
    content = encode(Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 50), np.uint8)))
    with pytest.raises(InputError, match=r"^x: (cannot be read as|not) a picture") as error:
        open_grey(content[: len(content) // 2], "x")
    assert len(str(error.value)) < 200
