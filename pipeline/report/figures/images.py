"""Pictures inside an HTML page, as data URIs."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LEVELS = 8
"""Shades of grey. More are not visible, and 256 would double the file size."""


@dataclass(frozen=True)
class Picture:
    """An image with its size in pixels and its alternative text."""

    uri: str
    width: int
    height: int
    alt: str


def encode_ink(image: NDArray[np.uint8], alt: str) -> Picture:
    """A PNG, dark on white, of an image (H, W) with ink bright on dark."""
    height, width = image.shape
    shades = ((255 - image.astype(np.uint16)) * (LEVELS - 1) + 127) // 255
    png = Image.frombytes("P", (width, height), shades.astype(np.uint8).tobytes())
    png.putpalette([shade * 255 // (LEVELS - 1) for shade in range(LEVELS) for _ in "rgb"])
    buffer = io.BytesIO()
    png.save(buffer, "PNG", optimize=True, bits=4)
    return Picture(data_uri("image/png", buffer.getvalue()), width, height, alt)


def data_uri(kind: str, content: bytes) -> str:
    """A data URI with this content; `kind` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
