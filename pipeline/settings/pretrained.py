"""Recognizers that others trained: the section `pretrained` of `params.yaml`."""

from pipeline.settings.base import OptionalPath, Settings
from pipeline.settings.sources import Sha256


class PretrainedSettings(Settings):
    """A recognizer of PP-OCR's family in an ONNX file."""

    file: OptionalPath
    """Path of the file, or `data/none` for the one that the package rapidocr carries."""
    sha256: Sha256
    """SHA-256 that the file must have."""
