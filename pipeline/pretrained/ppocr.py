"""Read a recognizer of PP-OCR's family from its ONNX file, as a `LinePPOCR` with the characters of that file."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.common.errors import InputError
from pipeline.common.files import file_sha256
from pipeline.common.vocabulary import BLANK, FIRST, Vocabulary
from pipeline.models.checkpoint import RecognizerSettings
from pipeline.models.line_ppocr import HEIGHT
from pipeline.models.recognizer import Recognizer
from pipeline.settings.models import LinePPOCRSettings

PACKAGE, FILE = "rapidocr", "models/PP-OCRv6_rec_small.onnx"
ADVICE = "pip install 'emnist-lines[handwriting]'"
MAX_LENGTH = 512
"""Characters of the longest text."""
WEIGHTED = ("Conv", "MatMul", "Add", "Mul", "BatchNormalization")
"""The operations with weights."""
NEVER = -30.0
"""Bias of the classes that the file does not have: `<S>`, `<E>` and `<P>`."""


def find_package_file() -> Path:
    """The file that the package rapidocr carries.

    Raises:
        InputError: the package is not installed, or does not carry it.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"pretrained: the package {PACKAGE} is not installed; {ADVICE}")
    path = Path(spec.submodule_search_locations[0]) / FILE
    if not path.is_file():
        raise InputError(f"pretrained: {path}: this version of {PACKAGE} does not carry it; {ADVICE}")
    return path


def require_packages() -> None:
    """Check that the package's own file can be read.

    Raises:
        InputError: a package is not installed.
    """
    find_package_file()
    if importlib.util.find_spec("onnx") is None:
        raise InputError(f"pretrained: the package onnx is not installed; {ADVICE}")


def read_recognizer(path: Path, sha256: str) -> tuple[RecognizerSettings, Recognizer]:
    """Rebuild the recognizer of an ONNX file.

    Raises:
        InputError: the file is absent, has another hash, or holds another architecture.
    """
    if not path.is_file():
        raise InputError(f"pretrained: {path}: no such file")
    if (found := file_sha256(path)) != sha256:
        raise InputError(f"pretrained: {path}: has the sha256 {found}, and the settings say {sha256}")
    model = _load(path)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    characters = properties.get("character", "").split("\n")
    if len(characters) < 2 or any(len(character) != 1 for character in characters):
        raise InputError(f"pretrained: {path}: has no list of characters in its metadata")
    # The network's classes are the blank, these characters and the space.
    vocabulary = Vocabulary("".join(characters) + " ")
    settings = RecognizerSettings(
        LinePPOCRSettings(name="line_ppocr"), "ctc", vocabulary, MAX_LENGTH, wrap=False, height=HEIGHT
    )
    recognizer = settings.build()
    try:
        recognizer.model.load_state_dict(_match(model, recognizer))
    except (ValueError, RuntimeError) as error:
        raise InputError(f"pretrained: {path}: another architecture than PP-OCRv6_rec_small ({error})") from None
    recognizer.model.eval()
    return settings, recognizer


def _load(path: Path) -> Any:
    try:
        import onnx
    except ImportError:
        raise InputError(f"pretrained: reading {path.name} needs the package onnx; {ADVICE}") from None
    return onnx.load(path)


def _match(model: Any, recognizer: Recognizer) -> dict[str, Tensor]:
    """The file's weights under our names: both networks have them in the order of their operations."""
    state = recognizer.model.state_dict()
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    weights = list(_weights(model.graph))
    if len(weights) != len(names):
        raise ValueError(f"{len(weights)} weights instead of {len(names)}")
    for name, given in zip(names, weights, strict=True):
        weight = given
        if name == "stem.conv1.weight":
            weight = weight.sum(1, keepdim=True)  # three equal colours are one grey
        if name.startswith("fc."):
            weight = _insert_special_tokens(weight, NEVER if name == "fc.bias" else 0.0)
        if weight.numel() != state[name].numel():
            raise ValueError(f"{name} has the shape {tuple(weight.shape)} instead of {tuple(state[name].shape)}")
        state[name] = weight.reshape(state[name].shape)
    return state


def _weights(graph: Any) -> Iterator[Tensor]:
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        for name in node.input if node.op_type in WEIGHTED else ():
            if name in stored:
                array = torch.from_numpy(numpy_helper.to_array(stored[name]).copy())
                if array.numel() > 1 and array.dtype == torch.float32:
                    yield array.T if node.op_type == "MatMul" else array


def _insert_special_tokens(weight: Tensor, value: float) -> Tensor:
    """Rows of the output layer: the file's blank, our other special tokens, then the characters."""
    special = weight.new_full((FIRST, *weight.shape[1:]), value)
    special[BLANK] = weight[0]
    return torch.cat((special, weight[1:]))
