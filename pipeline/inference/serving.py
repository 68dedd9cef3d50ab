"""The MLflow model. MLflow stores and runs a copy of this file, so nothing imports it."""

from itertools import islice
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
        from pipeline.inference.line_predictions import load_predictor

        self._predictor = load_predictor(Path(context.artifacts["checkpoint"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> list[str | None]:
        """The texts of pictures, in any form that `parse_model_input` takes; the lines of a picture are joined by LF.

        A picture that cannot be read is an error that names it. With the parameter `errors: coerce` its text is None.
        """
        from pipeline.common.errors import InputError
        from pipeline.inference.model_input import parse_model_input

        errors = (params or {}).get("errors", "raise")
        try:
            if errors not in ("raise", "coerce"):
                raise InputError(f"params.errors: {errors!r}; expected raise or coerce")
            pictures = parse_model_input(model_input, self._predictor.recognizer.model.height)
        except InputError as error:
            raise BadInputError(str(error), BAD_REQUEST) from None
        bad = [picture for picture in pictures if isinstance(picture, InputError)]
        if bad and errors == "raise":
            others = f" ({len(bad)} of {len(pictures)} pictures; errors: coerce reads the others)" * (len(pictures) > 1)
            raise BadInputError(f"{bad[0]}{others}", BAD_REQUEST)
        lines = [line for picture in pictures if not isinstance(picture, InputError) for line in picture]
        texts = iter([prediction.text for prediction in self._predictor.predict(lines)])
        return [
            None if isinstance(picture, InputError) else "\n".join(islice(texts, len(picture))) for picture in pictures
        ]


mlflow.models.set_model(LineRecognizer())
