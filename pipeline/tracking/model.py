"""A trained recognizer as an MLflow model: code and a checkpoint instead of a pickle."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import pipeline
from pipeline.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

SERVING_PACKAGES = ("numpy", "pillow", "psutil", "pydantic", "ruamel.yaml", "scipy", "torch")
"""What the served code imports, besides MLflow; tests/tracking/test_model.py compares it with the source."""
_PACKAGE = Path(pipeline.__file__).parent
_SERVING_CODE = _PACKAGE / "inference/serving.py"
_EXAMPLE_WIDTH = 256


def log_model(store: Store, run_id: str, checkpoint: Path, epoch: int, height: int) -> str:
    """Log the recognizer in `checkpoint` to a run, at the step `epoch`, and return the model's id.

    If the run has a model already, only its files are written again.

    `mlflow.pyfunc.load_model(f"models:/{id}").predict` takes pictures in any form that
    `pipeline.inference.model_input.parse_model_input` reads, and returns their texts.
    """
    import mlflow.pyfunc
    from mlflow.models import Model

    run = store.client.get_run(run_id)
    existing = last_model(run)
    # Made here because MLflow would put the model into the experiment of its global state.
    model_id = existing or str(
        store.client.create_logged_model(store.experiment_id, "model", run_id, params=run.data.params).model_id
    )
    with _restore_sys_path():
        Model.log(
            None,
            name="model",
            flavor=mlflow.pyfunc,
            run_id=None if existing else run_id,  # MLflow would add the model to its run a second time.
            model_id=model_id,
            step=epoch,
            python_model=str(_SERVING_CODE),
            artifacts={"checkpoint": checkpoint.resolve().as_uri()},  # MLflow would unquote a path
            code_paths=[str(_PACKAGE)],
            signature=_signature(),
            input_example=np.zeros((1, height, _EXAMPLE_WIDTH), np.uint8),  # one blank line
            pip_requirements=_requirements(),
        )
    return model_id


def last_model(run: "MlflowRun") -> str | None:
    """The id of a run's newest model; None if it has none."""
    return str(run.outputs.model_outputs[-1].model_id) if run.outputs and run.outputs.model_outputs else None


def has_model_files(store: Store, model_id: str) -> bool:
    """Whether the files of a logged model are where MLflow looks for them."""
    found = store.client.list_logged_model_artifacts(model_id)
    checkpoints = store.client.list_logged_model_artifacts(model_id, "artifacts")
    return any(file.path == "MLmodel" for file in found) and bool(checkpoints)


def _signature() -> object:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    # No input schema: it could allow arrays or pictures, but not both. The model itself refuses other inputs.
    params = ParamSchema([ParamSpec("errors", DataType.string, "raise")])
    return ModelSignature(outputs=Schema([ColSpec(DataType.string)]), params=params)


def _requirements() -> list[str]:
    # A local part of a version such as "+cpu" is on no package index.
    return [f"{name}=={version(name).partition('+')[0]}" for name in SERVING_PACKAGES]


@contextmanager
def _restore_sys_path() -> Iterator[None]:
    """Remove the temporary folders that MLflow leaves in `sys.path` when it tries the model."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before
