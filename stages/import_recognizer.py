"""Stage `import_recognizer`: a recognizer that others trained, as a checkpoint of this project."""

import argparse
from pathlib import Path

from pipeline.common import paths
from pipeline.models.checkpoint import save_checkpoint
from pipeline.pretrained.ppocr import find_package_file, read_recognizer
from pipeline.settings.base import read_section
from pipeline.settings.pretrained import PretrainedSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("name", help="a key of the section `pretrained` of params.yaml")


def main(name: str) -> None:
    """Convert the ONNX file of a recognizer."""
    settings = read_section(PretrainedSettings, "pretrained", name)
    path = Path(settings.file) if settings.file else find_package_file()
    save_checkpoint(paths.pretrained(name), *read_recognizer(path, settings.sha256))
    print(f"import_recognizer: {name}: {path.name} is now {paths.pretrained(name)}")
