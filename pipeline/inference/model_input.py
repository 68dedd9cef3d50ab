"""The forms in which callers give pictures to the MLflow model."""

import base64
import binascii
import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipeline.common.errors import InputError
from pipeline.common.geometry import CELL
from pipeline.data.pictures.line import trim_columns
from pipeline.data.pictures.opening import scale_values, to_grey
from pipeline.inference.pictures import find_lines, read_lines

COLUMN = "picture"
"""The column of a table of pictures."""
COLOURS = (1, 3, 4)
"""Numbers of channels of pixels: grey, RGB, and RGB with alpha."""
MAX_GIVEN = 40
"""Characters of a text that is neither a file nor base64, in messages."""
Lines = list[NDArray[np.uint8]]


def parse_model_input(model_input: Any, height: int = CELL) -> list[Lines | InputError]:
    """The line images of each picture in any input that MLflow gives to a model, or why it cannot be read.

    A picture is a path, a file's content, its base64, a PIL picture, or pixels. Pixels (`height`, W) of integers are a
    line image: 0 for background to 255 for full ink. Other pixels are a picture: (H, W), (H, W, 3) or (3, H, W).
    The input is one picture, a sequence of pictures, or a table, dictionary or list of records with the column
    `picture`.

    Raises:
        InputError: the input is something else.
    """
    pictures = _split(_picture_column(model_input))
    parsed: list[Lines | InputError] = []
    for number, picture in enumerate(pictures):
        try:
            parsed.append(_parse_picture(_picture_column(picture), f"picture {number}", height))
        except InputError as error:
            parsed.append(error)
    return parsed


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


def _split(pictures: Any) -> list[Any]:
    """The pictures of a sequence, or the one picture."""
    if isinstance(pictures, bytearray | memoryview):
        pictures = bytes(pictures)
    if isinstance(pictures, str | bytes | os.PathLike | Image.Image):
        return [pictures]
    if hasattr(pictures, "detach"):  # a tensor, perhaps on a GPU
        pictures = pictures.detach().cpu()
    if hasattr(pictures, "__array__") and not hasattr(pictures, "items"):
        pictures = np.asarray(pictures)
        pictures = pictures if pictures.dtype.kind not in "OU" and pictures.ndim else pictures.tolist()
    if isinstance(pictures, str | bytes):
        return [pictures]
    if not hasattr(pictures, "__iter__"):
        raise InputError(f"expected pictures, got {reprlib.repr(pictures)}")
    if _dimensions(pictures) == 2 or (isinstance(pictures, np.ndarray) and _has_colours(pictures)):
        return [pictures]
    return list(pictures)


def _has_colours(pixels: NDArray[Any]) -> bool:
    """Whether pixels in three dimensions are one picture in colours, rather than several grey ones."""
    return pixels.ndim == 3 and pixels.shape[2] in COLOURS and min(pixels.shape[:2]) > COLOURS[-1]


def _dimensions(value: Any) -> int:
    """The number of dimensions of numbers in an array, or in lists within lists."""
    if isinstance(value, list | tuple) and len(value):
        inner = _dimensions(value[0])
        return inner + 1 if inner or isinstance(value[0], int | float) else 0
    return int(value.ndim) if isinstance(value, np.ndarray) else 0


def _parse_picture(given: Any, name: str, height: int) -> Lines:
    if isinstance(given, bytearray | memoryview):
        given = bytes(given)
    if hasattr(given, "detach"):
        given = given.detach().cpu().numpy()
    if isinstance(given, np.ndarray) and not given.ndim:
        given = given.item()
    if isinstance(given, Image.Image):
        return [line.pixels for line in find_lines(_load(given, name), name, height)]
    if isinstance(given, np.ndarray | list | tuple):
        return _parse_pixels(given, name, height)
    if isinstance(given, bytes):
        return [line.pixels for line in read_lines(given, name, height)]
    if isinstance(given, os.PathLike):
        return [line.pixels for line in read_lines(Path(given), os.fspath(given), height)]
    if not isinstance(given, str) or not given:
        raise InputError(f"{name}: expected a path, the base64 of a picture or pixels, got {reprlib.repr(given)}")
    return _parse_text(given, name, height)


def _load(picture: Image.Image, name: str) -> Image.Image:
    try:
        return to_grey(ImageOps.exif_transpose(picture))
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be read as a picture ({error})") from None


def _parse_text(given: str, name: str, height: int) -> Lines:
    """The picture of a path or of base64."""
    if "\0" not in given and os.path.isfile(given):  # noqa: PTH113, as Path.is_file raises for names that are too long
        return [line.pixels for line in read_lines(Path(given), given, height)]
    content = decode_base64(given)
    if content is None:
        shown = given if len(given) <= MAX_GIVEN else f"{given[:MAX_GIVEN]}…"
        raise InputError(f"{name}: {shown!r} is neither a file nor base64")
    return [line.pixels for line in read_lines(content, name, height)]


def decode_base64(text: str) -> bytes | None:
    """The bytes of base64 as the shell wraps it, for URLs, without padding, or in a data URI; None if it is none."""
    encoded = text.partition(",")[2] if text.lstrip().startswith("data:") else text
    encoded = "".join(encoded.split())  # the tool base64 breaks lines
    altchars = b"-_" if {"-", "_"} & set(encoded) else None  # base64 for URLs
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars, validate=True)
    except (binascii.Error, ValueError):
        return None


def _parse_pixels(given: Any, name: str, height: int) -> Lines:
    try:
        pixels = np.asarray(given)
    except ValueError:
        raise InputError(f"{name}: expected pixels (H, W), got rows of several lengths") from None
    pixels = np.squeeze(pixels, axis=tuple(a for a in (0, -1) if pixels.ndim == 3 and pixels.shape[a] == 1)[:1])
    if pixels.ndim == 3 and pixels.shape[0] in COLOURS and pixels.shape[2] not in COLOURS:
        pixels = np.moveaxis(pixels, 0, 2)  # as torchvision has them
    if pixels.dtype.kind not in "biuf" or not pixels.size or pixels.ndim not in (2, 3):
        raise InputError(f"{name}: expected pixels (H, W) as numbers, got {pixels.shape} {pixels.dtype}")
    if pixels.ndim == 3 and pixels.shape[2] not in COLOURS:
        raise InputError(f"{name}: expected pixels (H, W) or (H, W, 3), got {pixels.shape}")
    if pixels.ndim == 2 and pixels.shape[0] == height and pixels.dtype.kind in "iu":
        if pixels.min() < 0 or pixels.max() > 255:
            raise InputError(f"{name}: expected pixels from 0 to 255, got {pixels.min()} to {pixels.max()}")
        return [trim_columns(pixels.astype(np.uint8))]
    picture = Image.fromarray(scale_values(pixels))
    return [line.pixels for line in find_lines(to_grey(picture), name, height)]
