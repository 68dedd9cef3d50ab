"""What `predict` reads: pages with ALTO or PAGE XML, and pictures of single lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.geometry import Windows
from pipeline.data.pictures.opening import read_size
from pipeline.data.transcriptions.base import scaled_width
from pipeline.data.transcriptions.cut import BASELINE_HEIGHT, Strip
from pipeline.data.transcriptions.draw import draw_ink
from pipeline.data.transcriptions.layout import LineShape, read_layout
from pipeline.data.transcriptions.pages import draw_strip, find_image, find_strips, fit_to_image
from pipeline.data.transcriptions.read import MAX_WIDTH
from pipeline.data.transcriptions.write_texts import PredictedText, PredictedWord
from pipeline.inference.line_predictions import LinePrediction, LinePredictor
from pipeline.inference.pictures import read_lines


@dataclass(frozen=True)
class DocumentLine:
    """A line, and how to draw its image."""

    shape: LineShape
    strip: Strip | None
    """Where it is, in the pixels of the XML. None if it cannot be read: it has no outline, or is too wide."""
    draw: Callable[[int], NDArray[np.uint8]]
    """The line image of a height."""


@dataclass(frozen=True)
class Document:
    """A file with lines, in its order."""

    path: Path
    image: Path
    lines: Sequence[DocumentLine]


@dataclass(frozen=True)
class ReadDocument:
    """A document with the text of each line; None where the line cannot be read."""

    document: Document
    texts: Sequence[PredictedText | None]

    @property
    def path(self) -> Path:
        """The file that was read."""
        return self.document.path


def is_page(path: Path) -> bool:
    """Whether a file is a page in XML, by its name."""
    return path.suffix.lower() == ".xml"


def read_document(path: Path, predictor: LinePredictor) -> ReadDocument:
    """Read all lines of a page or a picture.

    Raises:
        InputError: there is no such file, it is neither a page nor a picture, or a page has no image.
    """
    model = predictor.recognizer.model
    document = open_document(path, model.height)
    images = [line.draw(model.height) for line in document.lines if line.strip]
    predictions = zip(predictor.predict(images), images, strict=True)
    texts = [_place(*next(predictions), line.strip, model.windows) if line.strip else None for line in document.lines]
    return ReadDocument(document, texts)


def _place(prediction: LinePrediction, image: NDArray[np.uint8], strip: Strip, windows: Windows) -> PredictedText:
    """The prediction for a line's image, with its words where they are on the page."""
    words, width = [], image.shape[1]
    for text, confidence, first, last in prediction.words():
        start, end = first * windows.stride / width, (last * windows.stride + windows.width) / width
        words.append(PredictedWord(text, confidence, strip.box(min(start, 1.0), min(end, 1.0))))
    return PredictedText(prediction.text, prediction.confidence, words)


def open_document(path: Path, height: int) -> Document:
    """A page, or a picture with its lines. `height` is that of the model's lines.

    Raises:
        InputError: there is no such file, it is neither a page nor a picture, or a page has no image.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'is a folder; name the files in it' if path.is_dir() else 'no such file'}")
    return _open_page(path, height) if is_page(path) else _open_picture(path, height)


def _open_page(path: Path, height: int) -> Document:
    layout = read_layout(path)
    image = find_image(layout)
    in_image = find_strips(fit_to_image(layout, read_size(image, str(image))))
    lines = []
    for shape, in_xml, strip in zip(layout.lines, find_strips(layout.lines), in_image, strict=True):
        if in_xml and strip and scaled_width(strip.size, height) <= MAX_WIDTH:
            lines.append(DocumentLine(shape, in_xml, partial(_draw_line, image, strip)))
        else:
            lines.append(DocumentLine(shape, None, _draw_nothing))
    return Document(path, image, lines)


def _draw_line(image: Path, strip: Strip, height: int) -> NDArray[np.uint8]:
    return draw_ink(draw_strip(image, strip, height))


def _draw_nothing(height: int) -> NDArray[np.uint8]:
    return np.zeros((height, 1), dtype=np.uint8)


def _open_picture(path: Path, height: int) -> Document:
    """The lines of a picture with the boxes that the images show."""
    lines = []
    for number, line in enumerate(read_lines(path, str(path), height), start=1):
        left, top, right, bottom = line.box
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        below = BASELINE_HEIGHT * (bottom - top)
        baseline = np.array([[left, bottom - below], [right, bottom - below]])
        strip = Strip(baseline, bottom - top - below, below, corners)
        shape = LineShape(path.stem if number == 1 else f"{path.stem} {number}", "", (), corners)
        lines.append(DocumentLine(shape, strip, partial(_take, line.pixels)))
    return Document(path, path, lines)


def _take(pixels: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    assert len(pixels) == height
    return pixels
