"""Open pictures of pages and lines as grey images, and find ink and background in them."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pipeline.common.errors import InputError, reraise_shortage

MAX_PIXELS = 200_000_000
EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".jp2", ".gif")
MIN_CONTRAST = 24
"""With fewer brightness levels between background and ink, a picture is blank."""
FIRST_TURNED = 5
"""EXIF orientations from this one on exchange width and height."""
FULL_INK = 0.995
"""The fraction of the ink's pixels that are at most fully dark."""


def read_size(source: Path | bytes, name: str) -> tuple[int, int]:
    """Width and height of the picture that `open_grey` opens."""
    with _open(source, name) as picture:
        turned = picture.getexif().get(ExifTags.Base.Orientation, 1) >= FIRST_TURNED
        return picture.size[::-1] if turned else picture.size


def open_grey(source: Path | bytes, name: str) -> Image.Image:
    """A grey picture (mode L), turned as its EXIF data say, on white where it is transparent.

    Raises:
        InputError: there is no such file, it is no picture, or it is too large.
    """
    with _open(source, name) as picture:
        return to_grey(ImageOps.exif_transpose(picture))


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
        raise InputError(f"{name}: cannot be read as a picture ({error})") from None


def to_grey(picture: Image.Image) -> Image.Image:
    """Convert any mode to 8-bit grey. Values above 255 are scaled by the mode's range, or by the largest value."""
    if "A" in picture.getbands() or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("L")
    if picture.mode.startswith(("I", "F")):
        values = np.asarray(picture, dtype=np.float64)
        largest = float(values.max(initial=0))
        scale = 255 if largest <= 1 else 1 if largest <= 255 else 255 / (65_535 if largest <= 65_535 else largest)
        return Image.fromarray(np.clip(values * scale, 0, 255).round().astype(np.uint8))
    return picture.convert("L")


def separate_ink(grey: Image.Image) -> NDArray[np.uint8] | None:
    """Ink (H, W) uint8 of a grey line, 0 for background and 255 for full ink; None if the picture is blank.

    The median is the background. Ink is on the side of it that more of the picture's difference is on, so it may be
    dark or light.
    """
    values = np.asarray(grey, dtype=np.float32)
    difference = values - np.median(values)
    ink = -difference if -difference[difference < 0].sum() >= difference[difference > 0].sum() else difference
    drawn = ink[ink > MIN_CONTRAST]
    if not drawn.size:
        return None
    full = float(np.quantile(drawn, FULL_INK))
    scaled: NDArray[np.uint8] = np.clip(ink * (255 / full), 0, 255).round().astype(np.uint8)
    return scaled
