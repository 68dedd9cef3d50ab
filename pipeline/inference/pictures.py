"""Convert pictures from outside into line images like those that models are trained on."""

import base64
import binascii
import io
import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL

COLUMN = "picture"
"""The column of a table of pictures."""
MAX_WIDTH = 200
"""In heights. A wider picture is not a line."""
MAX_PIXELS = 50_000_000
MIN_CONTRAST = 24
"""With fewer brightness levels between background and ink, a picture is blank."""


def read_picture(source: Path | bytes, name: str, height: int = CELL) -> NDArray[np.uint8]:
    """A line image (`height`, W), 0 for background and 255 for full ink, from a picture file or its content.

    The picture must show one line, cut close above and below. It is scaled to `height` pixels. Its median brightness
    is the background, and the brightness farthest from it is full ink, so the ink may be dark or light.
    Error messages call the picture `name`.

    Raises:
        InputError: the file is not a picture, or the picture is too large, too narrow or wide for a line, or blank.
    """
    grey = _load_grey(source, name)
    width = max(1, round(grey.width * height / grey.height))
    if not height // 4 <= width <= MAX_WIDTH * height:
        raise InputError(
            f"{name}: {grey.width} x {grey.height} pixels are not a line; cut out one line, close above and below it"
        )
    if grey.height != height:
        grey = grey.resize((width, height), Image.Resampling.BOX if grey.height > height else Image.Resampling.BICUBIC)
    return _normalize(np.asarray(grey, dtype=np.float32), name)


def parse_model_input(model_input: Any, height: int = CELL) -> list[NDArray[np.uint8]]:
    """Line images from any input that MLflow gives to a model.

    A picture is a path, a file's content, its base64, or pixels: integers (`height`, W) from 0 for background to 255
    for full ink. The input is one picture, a sequence of pictures, or a table, dictionary or list of records with the
    column `picture`.

    Raises:
        InputError: the input is something else.
    """
    pictures = _picture_column(model_input)
    if isinstance(pictures, np.ndarray) and (pictures.dtype.kind in "OU" or not pictures.ndim):
        pictures = pictures.tolist()
    if isinstance(pictures, str | bytes) or _dimensions(pictures) == 2:
        pictures = [pictures]
    elif not hasattr(pictures, "__iter__"):
        raise InputError(f"expected pictures, got {reprlib.repr(pictures)}")
    return [
        _parse_picture(_picture_column(picture), f"picture {number}", height) for number, picture in enumerate(pictures)
    ]


def _picture_column(given: Any) -> Any:
    """The column `picture` of a table, a dictionary or a record; anything else as it is."""
    if not isinstance(given, Mapping) and not hasattr(given, "columns"):
        return given
    columns = list(given)
    if COLUMN in columns:
        return given[COLUMN]
    if columns == [0]:  # a table whose column has no name
        return given[0]
    raise InputError(f"expected a column `{COLUMN}` with paths, base64 or pixels, got {reprlib.repr(columns)}")


def _dimensions(value: Any) -> int:
    """The number of dimensions of numbers in an array, or in lists within lists."""
    if isinstance(value, list | tuple) and len(value):
        inner = _dimensions(value[0])
        return inner + 1 if inner or isinstance(value[0], int | float) else 0
    return 0 if isinstance(value, str | bytes) else int(np.ndim(value))


def _parse_picture(given: Any, name: str, height: int) -> NDArray[np.uint8]:
    if isinstance(given, np.ndarray) and not given.ndim:
        given = given.item()
    if isinstance(given, np.ndarray | list | tuple):
        return _check_pixels(given, name, height)
    if isinstance(given, bytes):
        return read_picture(given, name, height)
    if not isinstance(given, str) or not given:
        raise InputError(f"{name}: expected a path, the base64 of a picture or pixels, got {reprlib.repr(given)}")
    if os.path.isfile(given):  # noqa: PTH113, as Path.is_file raises for base64 that is too long for a name
        return read_picture(Path(given), given, height)
    encoded = given.partition(",")[2] if given.startswith("data:") else given
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)  # the tool base64 breaks lines
    except (binascii.Error, ValueError):
        raise InputError(f"{name}: {given[:60]!r} is neither a file nor base64") from None
    return read_picture(content, name, height)


def _check_pixels(given: Any, name: str, height: int) -> NDArray[np.uint8]:
    try:
        pixels = np.asarray(given)
    except ValueError:
        raise InputError(f"{name}: expected pixels ({height}, W), got rows of several lengths") from None
    if pixels.ndim != 2 or pixels.shape[0] != height or pixels.dtype.kind not in "iu":
        raise InputError(f"{name}: expected pixels ({height}, W) as integers, got {pixels.shape} {pixels.dtype}")
    if pixels.size and (pixels.min() < 0 or pixels.max() > 255):
        raise InputError(f"{name}: expected pixels from 0 to 255, got {pixels.min()} to {pixels.max()}")
    return pixels.astype(np.uint8)


def _load_grey(source: Path | bytes, name: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise InputError(
                    f"{name}: {picture.width} x {picture.height} pixels are too many; scale the picture down"
                )
            if "A" in picture.getbands() or "transparency" in picture.info:
                rgba = picture.convert("RGBA")
                return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("L")
            return picture.convert("L")
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: not a picture in a known format; use PNG or JPEG") from None
    except Exception as error:  # Pillow raises many kinds of errors for damaged files
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{name}: cannot be read as a picture ({reason})") from None


def _normalize(grey: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    """Map the background to 0 and the strongest ink to 255."""
    background = float(np.median(grey))
    darker, lighter = background - float(grey.min()), float(grey.max()) - background
    if max(darker, lighter) < MIN_CONTRAST:
        raise InputError(f"{name}: is blank; ink and background must differ by at least {MIN_CONTRAST} of 255 levels")
    ink = (background - grey) / darker if darker >= lighter else (grey - background) / lighter
    return np.asarray(np.rint(ink.clip(0, 1) * 255), dtype=np.uint8)
