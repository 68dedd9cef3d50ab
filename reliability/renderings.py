"""A line image as the pictures that people have: file formats, kinds of pixels, light, edges and positions."""

import io
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

Line = NDArray[np.uint8]
FACTOR = 3
"""Pixels of a picture for each pixel of a line."""
UNEVEN = 240, 90
"""The brightest and the darkest paper of a picture in a shadow."""


def paper(line: Line) -> Image.Image:
    """The line in black on white, enlarged."""
    picture = Image.fromarray(255 - line)
    return picture.resize((picture.width * FACTOR, picture.height * FACTOR), Image.Resampling.BICUBIC)


def encode(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    """The picture's file."""
    file = io.BytesIO()
    picture.save(file, form, **options)  # type: ignore[arg-type]
    return file.getvalue()


def _array(change: Callable[[NDArray[np.float64]], NDArray[np.generic]], form: str = "PNG") -> Callable[[Line], bytes]:
    return lambda line: encode(Image.fromarray(change(np.asarray(paper(line)) / 255.0)), form)


def _levels(low: float, high: float, form: str = "PNG") -> Callable[[Line], bytes]:
    """Ink and paper of two brightnesses."""
    return _array(lambda grey: (low + (high - low) * grey).round().astype(np.uint8), form)


def _changed(change: Callable[[Image.Image], Image.Image]) -> Callable[[Line], bytes]:
    return lambda line: encode(change(paper(line)))


def _turned(orientation: int) -> Callable[[Line], bytes]:
    """The picture as a phone stores it: turned, with the way back in its EXIF data."""
    back = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }

    def write(line: Line) -> bytes:
        picture = paper(line)
        for step in back[orientation]:
            picture = picture.transpose(step)
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        return encode(picture, "JPEG", quality=95, exif=exif)

    return write


def _with_alpha(ink: int) -> Callable[[Line], bytes]:
    def write(line: Line) -> bytes:
        alpha = Image.fromarray(255 - np.asarray(paper(line)))
        picture = Image.new("RGBA", alpha.size, (ink, ink, ink, 0))
        picture.putalpha(alpha)
        return encode(picture)

    return write


def _shadow(across: float, down: float, sharp: bool = False) -> Callable[[Line], bytes]:
    """Paper whose brightness falls along a direction, or at one place."""

    def change(grey: NDArray[np.float64]) -> NDArray[np.uint8]:
        ys, xs = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]]
        depth = across * xs / grey.shape[1] + down * ys / grey.shape[0]
        depth = (depth > 0.5).astype(float) if sharp else depth
        light = UNEVEN[0] + (UNEVEN[1] - UNEVEN[0]) * depth
        return (light * (0.1 + 0.9 * grey)).round().astype(np.uint8)

    return _array(change)  # type: ignore[arg-type]


def _edge(value: int, side: str, size: int = 12) -> Callable[[Line], bytes]:
    """Grey paper with a band of another brightness along one side."""

    def change(grey: NDArray[np.float64]) -> NDArray[np.uint8]:
        levels = (40 + 140 * grey).round().astype(np.uint8)
        widths = {"top": ((size, 0), (0, 0)), "bottom": ((0, size), (0, 0)), "left": ((0, 0), (size, 0))}
        return np.pad(levels, widths.get(side, ((size, size), (size, size))), constant_values=value)

    return _array(change)  # type: ignore[arg-type]


def _glare(grey: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Grey paper with a round bright spot above the ink."""
    levels = (40 + 130 * grey).round().astype(np.uint8)
    ys, xs = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]]
    levels[ys**2 + (xs - grey.shape[1] // 2) ** 2 < 6**2] = 255
    return levels


def _frame(width: int, gap: int) -> Callable[[Image.Image], Image.Image]:
    def change(picture: Image.Image) -> Image.Image:
        inner = _padded(gap, gap)(picture)
        framed = Image.new("L", (inner.width + 2 * width, inner.height + 2 * width), 0)
        framed.paste(inner, (width, width))
        return _padded(4, 4)(framed)

    return change


def _padded(across: int, down: int) -> Callable[[Image.Image], Image.Image]:
    def change(picture: Image.Image) -> Image.Image:
        padded = Image.new("L", (picture.width + 2 * across, picture.height + 2 * down), 255)
        padded.paste(picture, (across, down))
        return padded

    return change


def _rotated(angle: float, corners: int = 255) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=corners)


def _on_grey(value: int) -> int:
    return 40 + 140 * value // 255


def _close(picture: Image.Image) -> Image.Image:
    """Cut as close as the ink allows."""
    return picture.crop(picture.point(lambda value: 255 * (value < 128)).getbbox())


def _noisy(grey: NDArray[np.float64]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, 8, grey.shape)
    return np.clip(40 + 180 * grey + noise, 0, 255).round().astype(np.uint8)


def _scaled(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.resize((round(picture.width * factor), round(picture.height * factor)))


FORMATS = (
    "BMP",
    "DIB",
    "GIF",
    "ICO",
    "ICNS",
    "IM",
    "JPEG",
    "JPEG2000",
    "MSP",
    "PCX",
    "PPM",
    "SGI",
    "TGA",
    "TIFF",
    "WEBP",
)
MODES = ("1", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "LAB", "HSV")


def _mode(mode: str) -> Callable[[Line], bytes]:
    def write(line: Line) -> bytes:
        picture = paper(line).convert("RGB")
        if mode == "LAB":
            grey = paper(line)
            return encode(Image.merge("LAB", (grey, grey.point(lambda _: 128), grey.point(lambda _: 128))), "TIFF")
        if mode == "HSV":
            return encode(picture.convert("HSV").convert("RGB"))
        return encode(picture.convert(mode), "TIFF" if mode in ("CMYK", "YCbCr") else "PNG")

    return write


def _form(form: str) -> Callable[[Line], bytes]:
    def write(line: Line) -> bytes:
        picture = paper(line).convert("1" if form == "MSP" else "L")
        if form in ("ICO", "ICNS"):
            return encode(picture.convert("RGBA"))
        return encode(picture, form)

    return write


RENDERINGS: Mapping[str, Callable[[Line], bytes]] = {
    "plain: black on white, PNG": _changed(lambda picture: picture),
    **{f"{form}": _form(form) for form in FORMATS if form not in ("ICO", "ICNS")},
    **{f"mode {mode}": _mode(mode) for mode in MODES if mode != "HSV"},
    "16-bit PNG": _array(lambda grey: (grey * 65_535).astype(np.uint16)),
    "16-bit TIFF": _array(lambda grey: (grey * 65_535).astype(np.uint16), "TIFF"),
    "16-bit TIFF of 12 bits": _array(lambda grey: (grey * 4095).astype(np.uint16), "TIFF"),
    "32-bit TIFF": _array(lambda grey: (grey * 65_535).astype(np.int32), "TIFF"),
    "float TIFF, 0 to 1": _array(lambda grey: grey.astype(np.float32), "TIFF"),
    "float TIFF, 0 to 255": _array(lambda grey: (grey * 255).astype(np.float32), "TIFF"),
    **{f"EXIF orientation {number}": _turned(number) for number in range(2, 9)},
    "white on black": _levels(255, 0),
    "grey on grey": _levels(90, 170),
    "light grey on dark grey": _levels(170, 90),
    "black ink on transparency": _with_alpha(0),
    "white ink on transparency": _with_alpha(255),
    "a spot of glare": _array(_glare),  # type: ignore[arg-type]
    **{f"a white edge of 12 pixels, {side}": _edge(255, side) for side in ("top", "bottom", "left", "all around")},
    **{f"a black edge of 12 pixels, {side}": _edge(0, side) for side in ("top", "bottom", "left", "all around")},
    **{f"a black edge of 30 pixels, {side}": _edge(0, side, 30) for side in ("bottom", "left", "all around")},
    **{f"a grey edge of 12 pixels, {side}": _edge(90, side) for side in ("top", "left", "all around")},
    "gradient across, 240 to 90": _shadow(1, 0),
    "gradient down, 240 to 90": _shadow(0, 1),
    "gradient to a corner, 240 to 90": _shadow(0.5, 0.5),
    "sharp shadow, 240 and 90": _shadow(1, 0, sharp=True),
    "noise": _array(_noisy),  # type: ignore[arg-type]
    "a frame": _changed(_frame(4, 8)),
    "a frame close to the line": _changed(_frame(3, 0)),
    "a thick frame": _changed(_frame(10, 12)),
    "a frame, turned by 2°": _changed(lambda picture: _rotated(2)(_frame(4, 8)(picture))),
    "a frame, turned by -3°": _changed(lambda picture: _rotated(-3)(_frame(6, 3)(picture))),
    "half a line of air above and below": _changed(lambda picture: _padded(0, picture.height // 2)(picture)),
    "a line of air above and below": _changed(lambda picture: _padded(0, picture.height)(picture)),
    "blank paper left and right": _changed(lambda picture: _padded(200, 0)(picture)),
    "air all around": _changed(lambda picture: _padded(150, 60)(picture)),
    "cut close": _changed(_close),
    **{f"turned by {angle:g}°": _changed(_rotated(angle)) for angle in (2.0, -2.0, 4.0)},
    **{f"turned by {angle:g}° on black": _changed(_rotated(angle, 0)) for angle in (2.0, -3.5)},
    "turned by 2° on grey": _changed(_rotated(2, 110)),
    "grey paper, turned by 2° on white": _changed(lambda picture: _rotated(2)(picture.point(_on_grey))),
    "28 pixels high": lambda line: encode(Image.fromarray(255 - line)),
    "250 pixels high": _changed(_scaled(3)),
    "20 pixels high": _changed(_scaled(20 / 84)),
    "JPEG of low quality": lambda line: encode(paper(line), "JPEG", quality=25),
}
