"""Lines, models and settings that are small enough to train on in a test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from pipeline.common.vocabulary import EMNIST, EMNIST_CHARACTERS
from pipeline.data.storage.characters import Characters
from pipeline.data.storage.lines import Lines
from pipeline.data.synthesis.renderer import LineRenderer
from pipeline.models.checkpoint import RecognizerSettings
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import ComputeConfig
from pipeline.settings.experiment import TrainingSettings
from pipeline.settings.lines import LinesSettings
from pipeline.settings.models import ModelSettings

FP32 = ComputeConfig("cpu", bf16=False)
RESNETS = ("line_resnet_lstm", "line_resnet_transformer", "line_resnet_conformer", "line_resnet_lookalikes")
MODELS = ("line_cnn_simple", "line_cnn", "line_cnn_lstm", *RESNETS)
RESNET = {"conv_dim": 4, "blocks_quarter": 1, "blocks_eighth": 1, "fc_dim": 24}
SMALL: dict[str, dict[str, Any]] = {
    "line_cnn_simple": {"window_width": 28, "window_stride": 14, "conv_dim": 4, "fc_dim": 24},
    "line_cnn": {"window_width": 16, "window_stride": 8, "conv_dim": 4, "fc_dim": 24},
    "line_cnn_lstm": {"window_width": 16, "window_stride": 8, "conv_dim": 4, "fc_dim": 24, "lstm_dim": 12},
    "line_resnet_lstm": {**RESNET, "lstm_dim": 12},
    "line_resnet_transformer": {**RESNET, "heads": 2, "layers": 2},
    "line_resnet_conformer": {**RESNET, "heads": 2, "layers": 2, "kernel": 5},
    "line_resnet_lookalikes": {**RESNET, "lstm_dim": 12, "heads": 2},
}


def tiny_characters() -> Characters:
    """One image of coarse noise for each of the 62 labels."""
    coarse = np.random.default_rng(0).integers(0, 2, (len(EMNIST_CHARACTERS), 7, 7), dtype=np.uint8)
    return Characters(coarse.repeat(4, axis=1).repeat(4, axis=2) * 255, np.arange(len(coarse), dtype=np.uint8))


def tiny_lines(texts: Sequence[str], max_length: int = 8, overlap: float = 0.0, seed: int = 0) -> Lines:
    """Lines with these texts."""
    settings = LinesSettings(
        max_length=max_length,
        min_overlap=0.0,
        max_overlap=overlap,
        overlap_per="character",
        with_start_end_tokens=False,
        train=1,
        validation=1,
        test=1,
        seed=0,
    )
    return LineRenderer(tiny_characters(), settings).render(texts, np.random.default_rng(seed))


def tiny_model(name: str, **changes: object) -> ModelSettings:
    """Settings of a small model."""
    block = {"name": name, "limit_output_length": False, **SMALL[name], **changes}
    return TypeAdapter(ModelSettings).validate_python(block)


def tiny_settings(
    name: str, loss: str = "ctc", max_length: int = 8, wrap: bool = False, **changes: object
) -> RecognizerSettings:
    """Settings of a small recognizer."""
    return RecognizerSettings(tiny_model(name, **changes), loss, EMNIST, max_length, wrap)


def tiny_training(trainer: dict[str, object] | None = None, **changes: object) -> TrainingSettings:
    """Settings of a short training on one processor."""
    passed = {
        "accelerator": "cpu",
        "devices": 1,
        "num_nodes": 1,
        "strategy": "auto",
        "precision": "32-true",
        "gradient_clip_val": None,
        "accumulate_grad_batches": 1,
    }
    block = {
        "seeds": [1],
        "max_epochs": 1,
        "batch_size": 4,
        "learning_rate": 0.001,
        "find_learning_rate": False,
        "one_cycle": False,
        "early_stopping_patience": 10,
    }
    return TrainingSettings.model_validate({**block, **changes, "trainer": {**passed, **(trainer or {})}})


def noise_images(widths: Sequence[int], seed: int = 0) -> torch.Tensor:
    """Images (B, 1, 28, widest) in double precision: noise up to each width, background after it."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand((len(widths), 1, 28, max(widths)), generator=generator, dtype=torch.float64)
    for image, width in zip(images, widths, strict=True):
        image[..., width:] = 0
    return images


@torch.inference_mode()
def read_alone(recognizer: Recognizer, images: Sequence[NDArray[np.uint8]]) -> list[str]:
    """The texts of line images (H, W), each read without the others."""
    return [recognizer.predict(torch.tensor(image)[None], [image.shape[1]])[0][0] for image in images]
