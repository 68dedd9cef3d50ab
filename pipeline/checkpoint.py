"""Checkpoints: weights with all that is needed to read with them, and nothing that runs when loaded."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import InputError
from pipeline.files import atomic_path
from pipeline.models.registry import build_model
from pipeline.objectives.registry import build_objective
from pipeline.reader import Reader
from pipeline.settings.experiment import Loss, ModelSettings
from pipeline.vocabulary import TOKENS

FORMAT = "emnist-lines-checkpoint/1"


@dataclass(frozen=True)
class ReaderSettings:
    """What a reader is built from."""

    model: ModelSettings
    loss: Loss
    max_length: int
    wrap: bool

    def build(self) -> Reader:
        """A reader with fresh weights from PyTorch's generator."""
        return Reader(build_model(self.model), build_objective(self.loss, self.max_length, wrap=self.wrap))


def save_checkpoint(path: Path, settings: ReaderSettings, reader: Reader) -> None:
    """Write the reader's weights and settings; the same weights give the same bytes."""
    content = {
        "format": FORMAT,
        "vocabulary": list(TOKENS),
        "model": settings.model.model_dump(),
        "loss": settings.loss,
        "max_length": settings.max_length,
        "wrap": settings.wrap,
        # `contiguous()` would keep the strides of the layout that the weights were trained in where a side is 1.
        "weights": {
            name: tensor.cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in reader.model.state_dict().items()
        },
    }
    with atomic_path(path) as partial:
        torch.save(content, partial)


def load_checkpoint(path: Path) -> tuple[ReaderSettings, Reader]:
    """Rebuild a reader, on the CPU and in evaluation mode.

    Raises:
        InputError: no checkpoint of this project, or one with another vocabulary, or with weights that do not fit.
    """
    content = _read(path)
    if content.get("vocabulary") != list(TOKENS):
        raise InputError(f"{path}: its vocabulary is not this version's; train it again")
    try:
        model = TypeAdapter(ModelSettings).validate_python(content["model"])
        settings = ReaderSettings(model, content["loss"], content["max_length"], content["wrap"])
        reader = settings.build()
        reader.model.load_state_dict(content["weights"])
    except (KeyError, TypeError, ValidationError, RuntimeError) as error:
        raise InputError(f"{path}: the weights do not fit the model: {str(error).splitlines()[0]}") from None
    reader.model.eval()
    return settings, reader


def _read(path: Path) -> dict[str, Any]:
    try:
        _require_whole(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint; `dvc repro train` makes them") from None
    except Exception as error:  # damaged files make torch raise nearly anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not a checkpoint that can be loaded safely ({reason})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not a checkpoint of this project (expected format {FORMAT})")
    return content


def _require_whole(path: Path) -> None:
    """Compare every member with its checksum, which `torch.load` does not."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise ValueError(f"{damaged} is damaged")
