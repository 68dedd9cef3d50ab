"""Lines of page images with ALTO or PAGE XML."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.data.pictures.opening import EXTENSIONS, open_grey, read_size
from pipeline.data.transcriptions.base import Transcription
from pipeline.data.transcriptions.cut import Strip, cut_strip, find_strip
from pipeline.data.transcriptions.groups import find_group
from pipeline.data.transcriptions.layout import LineShape, PageLayout, Points, read_layout
from pipeline.settings.own_lines import OwnLinesSettings

BEYOND = 0.25
"""A fraction of the image's width or height. Nothing of a line is farther outside of the image."""


def read_pages(settings: OwnLinesSettings, root: Path) -> Iterator[Transcription]:
    """The lines of all pages below `root`, in the order of their names. Files that are no pages are left out.

    Raises:
        InputError: a page is damaged or has no image, or there is no page.
    """
    paths = sorted(path for path in root.rglob("*.xml") if path.name not in ("METS.xml", "mets.xml"))
    if not paths:
        raise InputError(f"{root}: no page; expected ALTO or PAGE XML files (*.xml)")
    for path in paths:
        page = path.relative_to(root).with_suffix("").as_posix()
        layout = read_layout(path)
        image = find_image(layout)
        lines = fit_to_image(layout, read_size(image, str(image)))
        for line, strip in zip(lines, find_strips(lines), strict=True):
            name = f"{page} {line.name}"
            if strip:
                draw = partial(draw_strip, image, strip)
                yield Transcription(name, page, find_group(settings.group, page, page), line.text, strip.size, draw)
            else:
                yield Transcription(name, page, page, "", (1, 1), lambda _: Image.new("L", (1, 1)))


def find_image(layout: PageLayout) -> Path:
    """The image that a page names, beside its XML, or one with the XML's own name and any extension.

    Raises:
        InputError: there is none.
    """
    folder = layout.path.parent
    named = folder / Path(layout.image_name.replace("\\", "/")).name
    candidates = [named, *(layout.path.with_suffix(extension) for extension in EXTENSIONS)]
    candidates += [named.with_suffix(extension) for extension in EXTENSIONS] if layout.image_name else []
    for candidate in candidates:
        if candidate.suffix.lower() in EXTENSIONS and candidate.is_file():
            return candidate
    raise InputError(
        f"{layout.path}: has no image; expected {layout.image_name or layout.path.stem + '.png'} beside it"
    )


def fit_to_image(layout: PageLayout, size: tuple[int, int]) -> Sequence[LineShape]:
    """The lines in pixels of the image. It may have another size than the page says, such as a smaller copy.

    Points far beyond the image are moved to `BEYOND` of its size outside of it.
    """
    scale = np.ones(2) if layout.size is None else np.array(size) / layout.size
    if np.allclose(scale, 1, atol=0.01):
        scale = np.ones(2)
    elif abs(scale[0] / scale[1] - 1) > 0.02:
        assert layout.size
        raise InputError(
            f"{layout.path}: is written for an image of {layout.size[0]:g} x {layout.size[1]:g} pixels, and its image "
            f"has {size[0]} x {size[1]}"
        )
    return [
        replace(line, baseline=_fit(line.baseline, scale, size), polygon=_fit(line.polygon, scale, size))
        for line in layout.lines
    ]


def _fit(points: Points, scale: NDArray[np.float64], size: tuple[int, int]) -> Points:
    limits = np.array(size)
    fitted = np.array(points, dtype=np.float64).reshape(-1, 2) * scale
    return tuple((x, y) for x, y in fitted.clip(-BEYOND * limits, (1 + BEYOND) * limits).tolist())


def find_strips(lines: Sequence[LineShape]) -> list[Strip | None]:
    """The strip of each line of a page; see `find_strip`."""
    return [find_strip(line, [other for other in lines if other is not line]) for line in lines]


def draw_strip(image: Path, strip: Strip, height: int) -> Image.Image:
    """A line of a page's image as a grey image; see `cut_strip`."""
    return cut_strip(_open(image, image.stat().st_mtime_ns), strip, height)


@lru_cache(maxsize=1)
def _open(image: Path, _changed: int) -> Image.Image:
    """The page's image; all lines of a page are drawn one after another."""
    return open_grey(image, str(image))
