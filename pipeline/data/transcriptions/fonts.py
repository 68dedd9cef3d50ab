"""Lines set in fonts: texts and fonts in a folder, for fonts that look like handwriting."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import normalize_text
from pipeline.data.transcriptions.base import Transcription
from pipeline.data.transcriptions.folder import read_text, scale_to_height
from pipeline.data.transcriptions.groups import find_group
from pipeline.settings.own_lines import OwnLinesSettings

EXTENSIONS = ".otf", ".ttf", ".woff", ".woff2"
SIZE = 64
"""Pixels of a font's em when a line is drawn, before it is scaled."""
LENGTHS = 10, 75
"""The least and most characters that a line aims at."""
SPACES = 0.8, 2.0
"""Width of the space between two words, in spaces of the font."""
BASELINE_SHIFT = 0.03
"""Standard deviation of a word's distance from the baseline, in ems."""
TALLEST = "hp"
"""Room that every line has above and below, so that a line of low letters is not scaled up."""
MARGIN = 0.1
"""Blank pixels around the ink, in ems."""
SEED = 0


@dataclass(frozen=True)
class Font:
    """A font file. `face` and `characters` raise `InputError` if it is none."""

    path: Path

    @cached_property
    def face(self) -> ImageFont.FreeTypeFont:
        """The font at `SIZE`."""
        try:
            return ImageFont.truetype(self.path, SIZE)
        except OSError as error:
            raise self.refuse(f"cannot be read as a font ({error})") from None

    @cached_property
    def characters(self) -> frozenset[str]:
        """What the font can draw."""
        from fontTools.ttLib import TTFont, TTLibError

        try:
            with self.path.open("rb") as file, TTFont(file, lazy=True) as font:
                return frozenset(map(chr, font.getBestCmap() or ()))
        except (TTLibError, KeyError, ImportError) as error:  # ImportError: woff2 needs the package brotli
            raise self.refuse(f"cannot be read as a font ({error})") from None

    def refuse(self, problem: str) -> InputError:
        """The error for a font that cannot be used."""
        return InputError(f"{self.path}: {problem}; remove it from the folder")


def read_fonts(settings: OwnLinesSettings, root: Path) -> Iterator[Transcription]:
    """`settings.font_lines` lines of the texts below `root` in its fonts. A line's group is its font.

    Raises:
        InputError: there is no font or no text, or a font is damaged or can draw no word.
    """
    fonts = [Font(path) for path in sorted(root.rglob("*")) if path.suffix.lower() in EXTENSIONS]
    words = [word for path in sorted(root.rglob("*.txt")) for word in normalize_text(read_text(path)).split()]
    if not fonts or not words:
        raise InputError(f"{root}: needs fonts ({', '.join(EXTENSIONS)}) and texts (.txt)")
    rng = np.random.default_rng(SEED)
    for number in range(settings.font_lines):
        font = fonts[rng.integers(len(fonts))]
        line = draw_words(words, font, rng)
        places = place_words(line, font, rng)
        left, top, right, bottom = find_box(places, font)
        name = font.path.relative_to(root).with_suffix("").as_posix()
        yield Transcription(
            f"{name} {number}",
            page=name,
            group=find_group(settings.group, name, name),
            text=" ".join(line),
            size=(right - left, bottom - top),
            draw=partial(draw_line, places, font),
        )


def draw_words(words: Sequence[str], font: Font, rng: np.random.Generator) -> list[str]:
    """Words that follow each other from a random place on, without those that the font cannot draw."""
    length, start = int(rng.integers(*LENGTHS, endpoint=True)), int(rng.integers(len(words)))
    line: list[str] = []
    for offset in range(len(words)):
        word = words[(start + offset) % len(words)]
        if font.characters.issuperset(word):
            line.append(word)
            if len(" ".join(line)) >= length:
                break
    if not line:
        raise font.refuse("can draw no word of the texts")
    return line


Places = list[tuple[float, float, str]]
"""Words with their left edge and baseline in pixels at `SIZE`."""


def place_words(line: Sequence[str], font: Font, rng: np.random.Generator) -> Places:
    """Set words side by side, with uneven spaces and an uneven baseline, as a hand does."""
    places, x = [], 0.0
    for word in line:
        places.append((x, rng.normal(0, BASELINE_SHIFT * SIZE), word))
        x += font.face.getlength(word) + font.face.getlength(" ") * rng.uniform(*SPACES)
    return places


def find_box(places: Places, font: Font) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a line with its margin, in pixels at `SIZE`."""
    boxes = np.array(
        [
            (x + left, y + top, x + right, y + bottom)
            for x, y, word in [*places, (0, 0, TALLEST)]
            for left, top, right, bottom in [font.face.getbbox(word, anchor="ls")]
        ]
    )
    margin = MARGIN * SIZE
    left, top = np.floor(boxes[:, :2].min(0) - margin).astype(int).tolist()
    right, bottom = np.ceil(boxes[:, 2:].max(0) + margin).astype(int).tolist()
    return left, top, right, bottom


def draw_line(places: Places, font: Font, height: int) -> Image.Image:
    """The line in black on white, `height` pixels high."""
    left, top, right, bottom = find_box(places, font)
    image = Image.new("L", (right - left, bottom - top), 255)
    drawing = ImageDraw.Draw(image)
    for x, y, word in places:
        drawing.text((x - left, y - top), word, font=font.face, anchor="ls")
    return scale_to_height(image, height)
