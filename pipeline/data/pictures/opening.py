"""Open picture files as grey images: any format and mode of Pillow, turned as their EXIF data say."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, ImageSequence, UnidentifiedImageError

from pipeline.common.errors import InputError, reraise_shortage

MAX_PIXELS = 150_000_000
EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".jp2", ".gif")
FIRST_TURNED = 5
"""EXIF orientations from this one on exchange width and height."""
RANGES = (255, 1023, 4095, 16_383, 65_535)
"""The largest values of grey with 8, 10, 12, 14 and 16 bits."""
SUBFILE_TYPE, REDUCED = 254, 1
"""A TIFF's tag and its bit for a small copy of another page."""
MAX_REASON = 120
"""Characters of Pillow's own message that are shown."""


def read_size(source: Path | bytes, name: str) -> tuple[int, int]:
    """Width and height of the picture that `open_grey` opens."""
    with _open(source, name) as picture:
        turned = picture.getexif().get(ExifTags.Base.Orientation, 1) >= FIRST_TURNED
        return picture.size[::-1] if turned else picture.size


def open_grey(source: Path | bytes, name: str) -> Image.Image:
    """A grey picture (mode L).

    Raises:
        InputError: there is no such file, it is no picture, it is too large, or it has several pages.
    """
    pages = open_pages(source, name)
    if len(pages) > 1:
        raise InputError(f"{name}: has {len(pages)} pages; save each page as a picture of its own")
    return pages[0]


def open_pages(source: Path | bytes, name: str) -> list[Image.Image]:
    """The grey pages (mode L) of a TIFF, or the one picture of another file; of an animation, the first frame.

    Raises:
        InputError: there is no such file, it is no picture, or it is too large.
    """
    with _open(source, name) as picture:
        return [to_grey(ImageOps.exif_transpose(page)) for page in _pages(picture)]


def _pages(picture: Image.Image) -> Iterator[Image.Image]:
    if picture.format != "TIFF":
        yield picture
        return
    for number, page in enumerate(ImageSequence.Iterator(picture)):
        if number == 0 or not getattr(page, "tag_v2", {}).get(SUBFILE_TYPE, 0) & REDUCED:
            yield page


@contextmanager
def _open(source: Path | bytes, name: str) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise InputError(f"{name}: {picture.width} x {picture.height} pixels are too many; scale it down")
            yield picture
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: not a picture in a known format; use PNG or JPEG") from None
    except Exception as error:  # Pillow raises many kinds of errors for damaged files
        reraise_shortage(error)
        reason = (str(error).splitlines() or [type(error).__name__])[0][:MAX_REASON]
        raise InputError(f"{name}: cannot be read as a picture ({reason})") from None


def to_grey(picture: Image.Image) -> Image.Image:
    """Convert any mode to 8-bit grey (mode L).

    Grey of more bits is scaled by the smallest range of `RANGES` that holds its values, floating-point numbers up to 1
    by 1. What is transparent gets the colour that the rest stands out from; see `_fill_transparent`.
    """
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        return _fill_transparent(picture)
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(scale_values(np.asarray(picture)))
    if picture.mode == "LAB":
        return picture.getchannel(0)
    return picture.convert("L" if picture.mode in ("1", "L", "P", "RGB") else "RGB").convert("L")


def scale_values(values: np.ndarray) -> np.ndarray:
    """Grey values of any type and range as uint8."""
    if values.dtype == np.uint8:
        return values
    numbers = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    numbers -= min(float(numbers.min(initial=0)), 0)
    largest = float(numbers.max(initial=0))
    is_fraction = values.dtype.kind in "fb" and largest <= 2
    limit = 1.0 if is_fraction else next((float(limit) for limit in RANGES if largest <= limit), largest)
    return np.clip(numbers * (255 / limit), 0, 255).round().astype(np.uint8)


def _fill_transparent(picture: Image.Image) -> Image.Image:
    """Grey on a background: if most is transparent, black or white, whichever is farther from the visible colour.

    Otherwise the picture has a background of its own, and its few transparent pixels get the visible median.
    """
    rgba = (picture.convert("LA") if picture.mode == "La" else picture).convert("RGBA")
    grey, alpha = np.asarray(rgba.convert("RGB").convert("L")), np.asarray(rgba.getchannel("A"))
    visible = grey[alpha > 127]
    if not visible.size:
        visible = grey[alpha > 0] if alpha.any() else np.array([0])
    farther = 0.0 if visible.mean() > 127 else 255.0
    background = farther if np.mean(alpha > 127) < 0.5 else float(np.median(visible))
    mixed = background + (grey - background) * (alpha / 255.0)
    return Image.fromarray(mixed.round().astype(np.uint8))
