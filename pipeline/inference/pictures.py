"""Convert pictures from outside into line images like those that models are trained on."""

import base64
import binascii
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL

MAX_WIDTH = CELL * 200
"""Pixels, after scaling. A wider picture is not a line."""
MAX_PIXELS = 50_000_000
MIN_CONTRAST = 24
"""With fewer brightness levels between background and ink, a picture is blank."""


def read_picture(source: Path | bytes, name: str) -> NDArray[np.uint8]:
    """A line image (28, W), 0 for background and 255 for full ink, from a picture file or its content.

    The picture must show one line, cut close above and below. It is scaled to a height of 28 pixels. Its median
    brightness is the background, and the brightness farthest from it is full ink, so the ink may be dark or light.
    Error messages call the picture `name`.

    Raises:
        InputError: the file is not a picture, or the picture is too large, too narrow or wide for a line, or blank.
    """
    grey = _load_grey(source, name)
    width = max(1, round(grey.width * CELL / grey.height))
    if not CELL // 4 <= width <= MAX_WIDTH:
        raise InputError(
            f"{name}: {grey.width} x {grey.height} pixels are not a line; cut out one line, close above and below it"
        )
    if grey.height != CELL:
        grey = grey.resize((width, CELL), Image.Resampling.BOX if grey.height > CELL else Image.Resampling.BICUBIC)
    return _normalize(np.asarray(grey, dtype=np.float32), name)


def read_pictures(sources: Sequence[str]) -> list[NDArray[np.uint8]]:
    """Line images from strings: paths, or picture files in base64 (also as `data:` URLs)."""
    return [_read_source(source, f"picture {number}") for number, source in enumerate(sources)]


def parse_model_input(model_input: Any) -> Sequence[NDArray[np.uint8]]:
    """Line images from the input that MLflow gives to a model.

    The input is a table with a column `picture` (paths or base64), a sequence of such strings, or line images: integers
    (B, 28, W) from 0 for background to 255 for full ink.

    Raises:
        InputError: the input is something else.
    """
    if hasattr(model_input, "columns"):
        if "picture" not in model_input.columns:
            raise InputError(f"expected a column `picture` with paths or base64, got {list(model_input.columns)}")
        return read_pictures(list(model_input["picture"]))
    if isinstance(model_input, list | tuple) or getattr(model_input, "dtype", np.dtype(int)).kind in "OU":
        sources = list(model_input)
        if sources and all(isinstance(source, str) for source in sources):
            return read_pictures(sources)
    array = np.asarray(model_input)
    if array.ndim != 3 or array.shape[1] != CELL or array.dtype.kind not in "iu":
        raise InputError(f"expected lines (B, {CELL}, W) in uint8, or pictures, got {array.shape} {array.dtype}")
    if array.size and (array.min() < 0 or array.max() > 255):
        raise InputError(f"expected pixels from 0 to 255, got {array.min()} to {array.max()}")
    return list(array.astype(np.uint8))


def _read_source(source: object, name: str) -> NDArray[np.uint8]:
    if not isinstance(source, str) or not source:
        raise InputError(f"{name}: expected a path or the base64 of a picture, got {source!r}")
    if len(source) < 1024 and not source.startswith("data:") and Path(source).is_file():
        return read_picture(Path(source), source)
    try:
        content = base64.b64decode(source.partition(",")[2] if source.startswith("data:") else source, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{name}: {source[:60]!r} is neither a file nor base64") from None
    return read_picture(content, name)


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
