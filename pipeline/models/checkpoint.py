"""Checkpoints: weights, and the settings that a recognizer is rebuilt from; loading runs no code from the file."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, TypeAdapter, ValidationError

from pipeline.common.errors import InputError, reraise_shortage
from pipeline.common.files import atomic_path
from pipeline.common.geometry import CELL
from pipeline.common.vocabulary import Vocabulary, parse_tokens
from pipeline.models.recognizer import Recognizer
from pipeline.models.registry import build_model
from pipeline.objectives.registry import build_objective
from pipeline.settings.experiment import Loss
from pipeline.settings.messages import one_line
from pipeline.settings.models import ModelSettings

FORMAT = "emnist-lines-checkpoint/1"


@dataclass(frozen=True)
class RecognizerSettings:
    """All that a recognizer is built from, except its weights."""

    model: ModelSettings
    loss: Loss
    vocabulary: Vocabulary
    max_length: Annotated[int, Field(ge=1, le=4096)]
    wrap: bool
    height: Annotated[int, Field(ge=8, le=512)] = CELL

    def build(self) -> Recognizer:
        """Build a recognizer with fresh weights from PyTorch's generator."""
        objective = build_objective(self.loss, self.vocabulary, self.max_length, wrap=self.wrap)
        return Recognizer(build_model(self.model, self.vocabulary.num_classes, self.height), objective)


def save_checkpoint(path: Path, settings: RecognizerSettings, recognizer: Recognizer) -> None:
    """Write the recognizer's weights and settings; the same weights give the same bytes."""
    content = {
        "format": FORMAT,
        "vocabulary": list(settings.vocabulary.tokens),
        "model": settings.model.model_dump(),
        "loss": settings.loss,
        "max_length": settings.max_length,
        "wrap": settings.wrap,
        # Left out for EMNIST's height, so that older checkpoints are of the same form.
        **({} if settings.height == CELL else {"height": settings.height}),
        # `contiguous()` would keep channels-last strides where a side is 1, and the bytes would differ.
        "weights": {
            name: tensor.cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in recognizer.model.state_dict().items()
        },
    }
    with atomic_path(path) as partial:
        torch.save(content, partial)


def load_checkpoint(path: Path) -> tuple[RecognizerSettings, Recognizer]:
    """Rebuild a recognizer, on the CPU and in evaluation mode.

    Raises:
        InputError: not a checkpoint of this project, or its vocabulary or weights do not fit.
    """
    content = _read(path)
    try:
        vocabulary = parse_tokens(content.get("vocabulary"))
    except ValueError:
        raise InputError(f"{path}: its vocabulary is damaged or of another version; train it again") from None
    try:
        settings = TypeAdapter(RecognizerSettings).validate_python(
            {
                "vocabulary": vocabulary,
                "height": content.get("height", CELL),
                **{name: content[name] for name in ("model", "loss", "max_length", "wrap")},
            }
        )
        with torch.device("meta"):  # before memory is allocated, as the settings may ask for any sizes
            settings.build().model.load_state_dict(content["weights"], assign=True)
        recognizer = settings.build()
        recognizer.model.load_state_dict(content["weights"])
        if faulty := [n for n, weights in content["weights"].items() if not bool(torch.isfinite(weights).all())]:
            raise ValueError(f"{faulty[0]} is not finite")
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        reraise_shortage(error)
        raise InputError(f"{path}: the weights do not fit the model: {_reason(error)}") from None
    recognizer.model.eval()
    return settings, recognizer


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors(include_url=False)[0]
        return one_line(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}")
    return one_line((str(error).splitlines() or [type(error).__name__])[0])


def _read(path: Path) -> dict[str, Any]:
    try:
        _require_whole(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint; `dvc repro train` makes them") from None
    except Exception as error:  # damaged files make torch raise nearly anything
        reraise_shortage(error)
        raise InputError(f"{path}: not a checkpoint that can be loaded safely ({_reason(error)})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not a checkpoint of this project (expected format {FORMAT})")
    return content


def _require_whole(path: Path) -> None:
    """Compare each member of the archive with its checksum, as `torch.load` does not."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise ValueError(f"{damaged} is damaged")
