"""What `predict` reads: pages with ALTO or PAGE XML, and pictures of single lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.geometry import Windows
from pipeline.data.transcriptions.base import scaled_width
from pipeline.data.transcriptions.cut import BASELINE_HEIGHT, Strip
from pipeline.data.transcriptions.draw import draw_ink
from pipeline.data.transcriptions.layout import LineShape, read_layout
from pipeline.data.transcriptions.pages import draw_strip, find_image, find_strips, fit_to_image
from pipeline.data.transcriptions.pictures import read_size
from pipeline.data.transcriptions.read import MAX_WIDTH
from pipeline.data.transcriptions.write_texts import PredictedText, PredictedWord
from pipeline.inference.line_predictions import LinePrediction, LinePredictor
from pipeline.inference.pictures import read_picture


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
    """Read all lines of a page, or a picture of one line.

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
    """A page, or a picture as a document of one line. `height` is that of the model's lines.

    Raises:
        InputError: there is no such file, it is neither a page nor a picture, or a page has no image.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'is a folder; name the files in it' if path.is_dir() else 'no such file'}")
    return _open_page(path, height) if is_page(path) else _open_picture(path)


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


def _open_picture(path: Path) -> Document:
    width, height = read_size(path, str(path))
    corners = ((0, 0), (width, 0), (width, height), (0, height))
    below = BASELINE_HEIGHT * height
    baseline = np.array([[0.0, height - below], [width, height - below]])
    strip = Strip(baseline, height - below, below, corners)
    line = DocumentLine(LineShape(path.stem, "", (), corners), strip, partial(read_picture, path, str(path)))
    return Document(path, path, [line])
