"""The one table of models: which class the settings' `name` stands for."""

from collections.abc import Callable
from typing import Any

from pipeline.common.geometry import CELL
from pipeline.models.base import LineModel
from pipeline.models.line_cnn import LineCNN
from pipeline.models.line_cnn_lstm import LineCNNLSTM
from pipeline.models.line_cnn_simple import LineCNNSimple
from pipeline.models.line_ppocr import LinePPOCR
from pipeline.models.line_resnet_conformer import LineResNetConformer
from pipeline.models.line_resnet_lookalikes import LineResNetLookalikes
from pipeline.models.line_resnet_lstm import LineResNetLSTM
from pipeline.models.line_resnet_transformer import LineResNetTransformer
from pipeline.settings.models import ModelSettings

MODELS: dict[str, Callable[[int, Any, int], LineModel]] = {
    "line_cnn_simple": LineCNNSimple,
    "line_cnn": LineCNN,
    "line_cnn_lstm": LineCNNLSTM,
    "line_resnet_lstm": LineResNetLSTM,
    "line_resnet_transformer": LineResNetTransformer,
    "line_resnet_conformer": LineResNetConformer,
    "line_resnet_lookalikes": LineResNetLookalikes,
    "line_ppocr": LinePPOCR,
}


def build_model(settings: ModelSettings, num_classes: int, height: int = CELL) -> LineModel:
    """Build the model for lines of `height` pixels, with fresh weights from PyTorch's generator."""
    return MODELS[settings.name](num_classes, settings, height)
