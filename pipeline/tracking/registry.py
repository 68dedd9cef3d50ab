"""The best model in MLflow's registry: `models:/emnist-lines@best`."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.common.errors import InputError
from pipeline.tracking.store import EXPERIMENT, SYNC_COMMAND, Store, open_store

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

ALIAS = "best"
BEST = f"models:/{EXPERIMENT}@{ALIAS}"
_ABOUT = (
    "Reads lines of handwriting. The alias `best` is the model with the lowest test CER on its lines; "
    "`python -m pipeline predict picture.png` reads with it."
)


@dataclass(frozen=True)
class Candidate:
    """A trained and evaluated experiment's run; `data_md5` is of its lines: CERs on others do not compare."""

    run_id: str
    experiment_key: str
    data_md5: str
    test_cer: float


def register_best(store: Store, candidate: Candidate) -> bool:
    """Give the alias to `candidate`; False where the model that has it reads the same lines as well or better.

    A model of other lines, or whose run is deleted, gives the alias up.
    """
    from mlflow.exceptions import MlflowException

    holder = _holder(store)
    if holder is not None and _stays(store, holder, candidate):
        return False
    with suppress(MlflowException):  # It is there already.
        store.client.create_registered_model(EXPERIMENT, description=_ABOUT)
    version = _version_of(store, candidate)
    store.client.set_registered_model_alias(EXPERIMENT, ALIAS, version)
    return True


def best_checkpoint() -> Path:
    """The checkpoint of the model with the alias; `InputError` where there is none."""
    from mlflow import artifacts
    from mlflow.exceptions import MlflowException

    store = open_store()
    advice = f"run `dvc repro` or `{SYNC_COMMAND}`, or name a checkpoint with --model"
    if _holder(store) is None:
        raise InputError(f"{BEST}: no model has this name in {store.uri}; {advice}")
    try:
        folder = Path(artifacts.download_artifacts(BEST))
    except (MlflowException, OSError) as error:
        raise InputError(f"{BEST}: its files cannot be read ({error}); {advice}") from None
    found = sorted((folder / "artifacts").glob("*.ckpt"))
    if not found:
        raise InputError(f"{BEST}: has no checkpoint in {folder}; {advice}")
    return found[0]


def _holder(store: Store) -> "ModelVersion | None":
    from mlflow.exceptions import MlflowException

    with suppress(MlflowException):
        return store.client.get_model_version_by_alias(EXPERIMENT, ALIAS)
    return None


def _stays(store: Store, holder: "ModelVersion", candidate: Candidate) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        run: Run = store.client.get_run(holder.run_id)
    except MlflowException:
        return False
    same_data = run.data.tags.get("data_md5") == candidate.data_md5
    cer = run.data.metrics.get("test_cer")
    return run.info.lifecycle_stage == "active" and same_data and cer is not None and cer <= candidate.test_cer


def _version_of(store: Store, candidate: Candidate) -> str:
    """The version of a run's model, which is made where there is none."""
    for version in store.client.search_model_versions(f"name = '{EXPERIMENT}'"):
        if version.run_id == candidate.run_id:
            return str(version.version)
    run = store.client.get_run(candidate.run_id)
    model_id = run.outputs.model_outputs[-1].model_id
    made = store.client.create_model_version(
        EXPERIMENT,
        source=store.client.get_logged_model(model_id).artifact_location,
        run_id=candidate.run_id,
        model_id=model_id,
        tags=_tags(run.data.tags, candidate),
    )
    return str(made.version)


def _tags(run_tags: Mapping[str, str], candidate: Candidate) -> dict[str, str]:
    kept = ("model", "loss", "lines", "data", "data_md5", "model_md5", "dvc.exp_name", "git.commit")
    return {
        "experiment_key": candidate.experiment_key,
        "test_cer": f"{candidate.test_cer:.6f}",
        "run_id": candidate.run_id,
        **{name: run_tags[name] for name in kept if name in run_tags},
    }
