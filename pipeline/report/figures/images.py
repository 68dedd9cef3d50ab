"""Pictures that are part of a page: data URIs."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LEVELS = 8
"""Shades of grey: enough for the eye, and half of the bytes of 256."""


@dataclass(frozen=True)
class Picture:
    """An image of the page with its size in pixels, and what it shows, in words."""

    uri: str
    width: int
    height: int
    alt: str


def ink_picture(image: NDArray[np.uint8], alt: str) -> Picture:
    """A PNG, dark on white, of ink (H, W) that is bright on dark."""
    height, width = image.shape
    shades = ((255 - image.astype(np.uint16)) * (LEVELS - 1) + 127) // 255
    png = Image.frombytes("P", (width, height), shades.astype(np.uint8).tobytes())
    png.putpalette([shade * 255 // (LEVELS - 1) for shade in range(LEVELS) for _ in "rgb"])
    buffer = io.BytesIO()
    png.save(buffer, "PNG", optimize=True, bits=4)
    return Picture(data_uri("image/png", buffer.getvalue()), width, height, alt)


def data_uri(kind: str, content: bytes) -> str:
    """An address that holds the content itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
