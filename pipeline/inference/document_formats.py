"""Read documents as plain text and as JSON."""

import json

from pipeline.data.transcriptions.write_texts import PredictedText
from pipeline.inference.documents import DocumentLine, ReadDocument

DIGITS = 4
"""Decimal places of a confidence."""


def format_text(read: ReadDocument) -> list[str]:
    """One text for each line, in the order of the file; empty for a line that cannot be read."""
    return [text.text if text else "" for text in read.texts]


def format_json(read: ReadDocument) -> str:
    """An object with the file, its image and its lines. All places are in the pixels of the XML or of the picture."""
    document = read.document
    lines = [_describe_line(line, text) for line, text in zip(document.lines, read.texts, strict=True)]
    content = {"page": str(document.path), "image": str(document.image), "lines": lines}
    return json.dumps(content, ensure_ascii=False)


def _describe_line(line: DocumentLine, text: PredictedText | None) -> dict[str, object]:
    words = text.words if text else []
    return {
        "id": line.shape.name,
        "text": text.text if text else None,
        "confidence": _round(text.confidence) if text else None,
        "box": line.strip.box(0, 1) if line.strip else None,
        "polygon": line.shape.polygon or None,
        "baseline": line.shape.baseline or None,
        "words": [{"text": word.text, "confidence": _round(word.confidence), "box": word.box} for word in words],
    }


def _round(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, DIGITS)
