"""The MLflow model itself; MLflow runs a copy of this file, so nothing else imports it."""

from pathlib import Path
from typing import Any

import mlflow.models
import numpy as np
from mlflow.pyfunc import PythonModel, PythonModelContext


class LineReader(PythonModel):  # type: ignore[misc]
    """Reads lines of handwriting with the recognizer of a checkpoint."""

    # MLflow passes these arguments by name, and wants a type of the input, which for arrays it does not check.
    def load_context(self, context: PythonModelContext) -> None:
        """Read the checkpoint once, when the model is loaded."""
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
        from pipeline.inference.pictures import lines_from

        return predict_images(self._recognizer, lines_from(model_input))


mlflow.models.set_model(LineReader())
