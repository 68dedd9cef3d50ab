"""Pictures of a line from outside, brought into the form of the lines that models are trained on."""

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
"""Pixels of a line after scaling; a longer one is no line."""
MAX_PIXELS = 50_000_000
MIN_CONTRAST = 24
"""Brightness levels between paper and ink below which a picture is blank."""


def read_picture(source: Path | bytes, name: str) -> NDArray[np.uint8]:
    """One line (28, W), 0 for paper and 255 for full ink, from a picture file or its content.

    The picture shows one line, cut close above and below. Its commonest brightness (median) is the paper,
    whatever lies farthest from it is full ink, so that dark on light and light on dark read alike;
    it is scaled to 28 pixels in height. `name` is what an error calls it.

    Raises:
        InputError: no picture, too large, much higher than a line, or blank.
    """
    grey = _grey(source, name)
    width = max(1, round(grey.width * CELL / grey.height))
    if not CELL // 4 <= width <= MAX_WIDTH:
        raise InputError(
            f"{name}: {grey.width} x {grey.height} pixels are not a line; cut out one line, close above and below it"
        )
    if grey.height != CELL:
        grey = grey.resize((width, CELL), Image.Resampling.BOX if grey.height > CELL else Image.Resampling.BICUBIC)
    return _ink(np.asarray(grey, dtype=np.float32), name)


def read_texts_of_pictures(given: Sequence[str]) -> list[NDArray[np.uint8]]:
    """Lines from texts, each a path or the base64 of a picture file (also as a `data:` URL)."""
    return [_from_text(text, f"picture {number}") for number, text in enumerate(given)]


def lines_from(model_input: Any) -> Sequence[NDArray[np.uint8]]:
    """Lines from what MLflow hands to a model.

    Either a table with the column `picture` (paths or base64), or such texts alone, or lines
    themselves: whole numbers from 0 for paper to 255 for full ink, (B, 28, W).

    Raises:
        InputError: it is something else.
    """
    if hasattr(model_input, "columns"):
        if "picture" not in model_input.columns:
            raise InputError(f"expected a column `picture` with paths or base64, got {list(model_input.columns)}")
        return read_texts_of_pictures(list(model_input["picture"]))
    if isinstance(model_input, list | tuple) or getattr(model_input, "dtype", np.dtype(int)).kind in "OU":
        given = list(model_input)
        if given and all(isinstance(one, str) for one in given):
            return read_texts_of_pictures(given)
    array = np.asarray(model_input)
    if array.ndim != 3 or array.shape[1] != CELL or array.dtype.kind not in "iu":
        raise InputError(f"expected lines (B, {CELL}, W) in uint8, or pictures, got {array.shape} {array.dtype}")
    if array.size and (array.min() < 0 or array.max() > 255):
        raise InputError(f"expected pixels from 0 to 255, got {array.min()} to {array.max()}")
    return list(array.astype(np.uint8))


def _from_text(text: object, name: str) -> NDArray[np.uint8]:
    if not isinstance(text, str) or not text:
        raise InputError(f"{name}: expected a path or the base64 of a picture, got {text!r}")
    if len(text) < 1024 and not text.startswith("data:") and Path(text).is_file():
        return read_picture(Path(text), text)
    try:
        content = base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{name}: {text[:60]!r} is neither a file nor base64") from None
    return read_picture(content, name)


def _grey(source: Path | bytes, name: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise InputError(f"{name}: {picture.width} x {picture.height} pixels are too many; scale it down")
            if "A" in picture.getbands() or "transparency" in picture.info:
                rgba = picture.convert("RGBA")
                return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("L")
            return picture.convert("L")
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: not a picture that can be read (PNG, JPEG, ...)") from None
    except Exception as error:  # damaged files make Pillow raise nearly anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{name}: cannot be read as a picture ({reason})") from None


def _ink(grey: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    paper = float(np.median(grey))
    darker, lighter = paper - float(grey.min()), float(grey.max()) - paper
    if max(darker, lighter) < MIN_CONTRAST:
        raise InputError(f"{name}: is blank; the ink must differ from the paper by {MIN_CONTRAST} of 255 levels")
    ink = (paper - grey) / darker if darker >= lighter else (grey - paper) / lighter
    pixels: NDArray[np.uint8] = np.rint(ink.clip(0, 1) * 255).astype(np.uint8)
    return pixels
