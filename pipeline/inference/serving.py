"""The MLflow model. MLflow stores and runs a copy of this file, so nothing imports it."""

from pathlib import Path
from typing import Any

import mlflow.models
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc import PythonModel, PythonModelContext


class BadInputError(MlflowException):  # type: ignore[misc]
    """An answer with status 400 that says in one line what is wrong with the input."""

    def serialize_as_json(self) -> str:
        """The server's answer; the server itself would put the whole input before the message."""
        self.message = str(self)
        return str(super().serialize_as_json())


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
        """The texts of pictures, in any form that `parse_model_input` takes."""
        from pipeline.common.errors import InputError
        from pipeline.inference.batches import predict_images
        from pipeline.inference.pictures import parse_model_input

        try:
            return predict_images(self._recognizer, parse_model_input(model_input, self._recognizer.model.height))
        except InputError as error:
            raise BadInputError(str(error), BAD_REQUEST) from None


mlflow.models.set_model(LineRecognizer())
