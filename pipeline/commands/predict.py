"""Read pages and pictures of handwritten lines.

    python -m pipeline predict line.png
    python -m pipeline predict --model models/letters/seed_42.ckpt --format xml --output read pages/*.xml

A page is ALTO or PAGE XML with its image beside it. Its lines need no texts. A picture shows one line, cropped close
above and below it; dark on light or light on dark, of any size.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.common.errors import InputError, describe_denial
from pipeline.common.files import atomic_path
from pipeline.common.progress import progress_bar

if TYPE_CHECKING:
    from pipeline.inference.documents import ReadDocument
    from pipeline.inference.line_predictions import LinePredictor

SUFFIXES = {"text": ".txt", "json": ".json", "xml": ".xml"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="file", help="ALTO or PAGE XML, or a picture of one line (PNG, JPEG …)"
    )
    readers = parser.add_mutually_exclusive_group()
    readers.add_argument(
        "--model",
        default="best",
        help="a checkpoint, or `best` (default): the one registered in MLflow; without one, the best experiment",
    )
    readers.add_argument(
        "--decoding",
        metavar="KEY",
        help="a key of the section `decoding` of params.yaml: its experiment's model and its tuned beam search",
    )
    parser.add_argument(
        "--format",
        choices=SUFFIXES,
        default="text",
        help="text (default), json, or xml: a copy of each page's XML with the texts and their confidences",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write a file for each input there, instead of to the terminal"
    )
    parser.add_argument("--in-place", action="store_true", help="with --format xml: overwrite the pages themselves")


def main(
    files: Sequence[Path], model: str, decoding: str | None, format: str, output: Path | None, in_place: bool
) -> None:
    """Read all files. One that cannot be read is named in a line; the others are read, and the exit status is 2."""
    targets = plan_targets(files, format, output, in_place)
    from pipeline.inference.predictors import load_beam_predictor, load_greedy_predictor

    predictor = load_beam_predictor(decoding) if decoding else load_greedy_predictor(model)
    failed: list[Path] = []
    contents = _read(files, predictor, format, failed, show_bar=bool(targets) or not sys.stdout.isatty())
    if targets:
        for path, content in contents:
            with atomic_path(targets[path]) as partial:
                partial.write_bytes(content)
    else:
        _print(contents, format, with_names=len(files) > 1)
    if failed:
        raise SystemExit(2)


def plan_targets(files: Sequence[Path], format: str, output: Path | None, in_place: bool) -> dict[Path, Path]:
    """The file that is written for each input; empty if everything is printed.

    Raises:
        InputError: the arguments do not fit together, or a file would be overwritten.
    """
    if in_place and (format != "xml" or output):
        raise InputError("--in-place overwrites pages with --format xml, and has no --output")
    pictures = [path for path in files if path.suffix.lower() != ".xml"]
    if format == "xml" and pictures:
        raise InputError(f"{pictures[0]}: has no XML to write into; use --format text or json for pictures")
    if format == "xml" and not output and not in_place and len(files) > 1:
        raise InputError("--format xml prints one page; for several, name a folder with --output (or use --in-place)")
    if in_place:
        return {path: path.resolve() for path in files}
    if output is None:
        return {}
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: is a file; name a folder")
    sources = {path.resolve() for path in files}
    targets: dict[Path, Path] = {}
    for path in files:
        target = output / f"{path.stem}{SUFFIXES[format]}"
        if target.resolve() in sources:
            raise InputError(f"{target}: would overwrite an input; name another --output (or use --in-place)")
        if same := [other for other, planned in targets.items() if planned == target]:
            raise InputError(f"{target}: would be written for {same[0]} and for {path}; read them into two folders")
        targets[path] = target
    return targets


def _read(
    files: Sequence[Path], predictor: "LinePredictor", format: str, failed: list[Path], show_bar: bool
) -> Iterator[tuple[Path, bytes]]:
    """Read one file after another; those that cannot be read are added to `failed`."""
    from pipeline.inference.documents import read_document

    bar = progress_bar(files, desc="reading", unit="file", disable=len(files) == 1 or not show_bar)
    for path in bar:
        try:
            document = read_document(path, predictor)
            content = _format(document, format)
        except (InputError, PermissionError) as error:
            failed.append(path)
            bar.write(f"error: {describe_denial(error) or error}", file=sys.stderr)
            continue
        if count := document.texts.count(None):
            bar.write(f"{path}: {count} line(s) without an outline that can be read", file=sys.stderr)
        yield path, content


def _format(document: "ReadDocument", format: str) -> bytes:
    from pipeline.data.transcriptions.write_texts import write_texts
    from pipeline.inference.document_formats import format_json, format_text

    if format == "xml":
        return write_texts(document.path, document.texts)
    content = format_json(document) if format == "json" else "\n".join(format_text(document))
    return f"{content}\n".encode()


def _print(contents: Iterator[tuple[Path, bytes]], format: str, with_names: bool) -> None:
    """Print each document as soon as it is read. JSON is one list."""
    separator = "["
    for path, content in contents:
        if format == "xml":
            sys.stdout.buffer.write(content)
        elif format == "json":
            print(separator, content.decode().strip(), sep="", end="", flush=True)
            separator = ",\n"
        else:
            for line in content.decode().removesuffix("\n").split("\n"):
                print(f"{path}: {line}" if with_names else line, flush=True)
    if format == "json":
        print("[]" if separator == "[" else "]")
