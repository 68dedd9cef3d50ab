"""Read pictures of handwritten lines.

    python -m pipeline predict line.png
    python -m pipeline predict --model models/lstm_ctc_variable/seed_42.ckpt first.png second.png

A picture shows one line, cropped close above and below it; dark on light or light on dark, of any size.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.inference.pictures import read_picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("pictures", nargs="+", type=Path, metavar="picture", help="PNG, JPEG or the like")
    parser.add_argument(
        "--model", default="best", help="a checkpoint, or `best`: the one registered in MLflow (default)"
    )


def main(pictures: Sequence[Path], model: str) -> None:
    """Print the text of each picture, after its name if there are several."""
    from pipeline.inference.batches import load_recognizer, predict_images

    recognizer = load_recognizer(_checkpoint(model))
    lines = [read_picture(path, str(path), recognizer.model.height) for path in pictures]
    texts = predict_images(recognizer, lines)
    for path, text in zip(pictures, texts, strict=True):
        print(f"{path}: {text}" if len(pictures) > 1 else text)


def _checkpoint(model: str) -> Path:
    if model != "best":
        return Path(model)
    from pipeline.tracking.registry import best_checkpoint

    return best_checkpoint()
