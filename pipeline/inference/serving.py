"""The MLflow model. MLflow stores and runs a copy of this file, so nothing imports it."""

from pathlib import Path
from typing import Any

import mlflow.models
import numpy as np
from mlflow.pyfunc import PythonModel, PythonModelContext


class LineRecognizer(PythonModel):  # type: ignore[misc]
    """Recognizes lines of handwriting with the model of a checkpoint."""

    # MLflow passes the arguments by name. It requires a type for the input, but does not check it for arrays.
    def load_context(self, context: PythonModelContext) -> None:
        """Load the checkpoint once, when MLflow loads the model."""
        from pipeline.inference.batches import load_recognizer

        self._recognizer = load_recognizer(Path(context.artifacts["checkpoint"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> list[str]:
        """The texts of lines (B, 28, W) uint8, or of pictures in a column `picture`: paths or base64."""
        from pipeline.inference.batches import predict_images
        from pipeline.inference.pictures import parse_model_input

        return predict_images(self._recognizer, parse_model_input(model_input))


mlflow.models.set_model(LineRecognizer())
