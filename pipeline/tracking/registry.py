"""The best model in MLflow's registry: `models:/emnist-lines@best`."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.common.errors import InputError
from pipeline.tracking.model import last_model
from pipeline.tracking.store import EXPERIMENT, Store, open_store
from pipeline.tracking.store_errors import SYNC_COMMAND, first_line

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun
    from mlflow.entities.model_registry import ModelVersion

ALIAS = "best"
BEST = f"models:/{EXPERIMENT}@{ALIAS}"
_DESCRIPTION = (
    "Reads lines of handwriting. The alias `best` is the model with the lowest test CER on its lines; "
    "`python -m pipeline predict picture.png` reads with it."
)
_COPIED_TAGS = ("model", "loss", "lines", "data", "data_md5", "model_md5", "dvc.exp_name", "git.commit")


@dataclass(frozen=True)
class Candidate:
    """The run of a trained and evaluated experiment."""

    run_id: str
    experiment_key: str
    data_md5: str
    """The hash of its lines: CERs on other lines do not compare."""
    test_cer: float


def register_best(store: Store, candidate: Candidate) -> bool:
    """Give the alias to `candidate`; False if the model that has it is at least as good on the same lines.

    A model loses the alias if it was evaluated on other lines or if its run is deleted.
    """
    from mlflow.exceptions import MlflowException

    current = _get_best(store)
    if current is not None and _is_as_good(store, current, candidate):
        return False
    with suppress(MlflowException):  # It is there already.
        store.client.create_registered_model(EXPERIMENT, description=_DESCRIPTION)
    version = _find_or_create_version(store, candidate)
    store.client.set_registered_model_alias(EXPERIMENT, ALIAS, version)
    return True


def best_checkpoint() -> Path:
    """Download the checkpoint of the model that has the alias.

    Raises:
        InputError: there is no such model, or its files cannot be read.
    """
    from mlflow import artifacts
    from mlflow.exceptions import MlflowException

    store = open_store()
    advice = f"run `dvc repro` or `{SYNC_COMMAND}`, or name a checkpoint instead"
    if _get_best(store) is None:
        raise InputError(f"{BEST}: no model has this name in {store.address}; {advice}")
    try:
        folder = Path(artifacts.download_artifacts(BEST))
    except (MlflowException, OSError) as error:
        raise InputError(f"{BEST}: its files cannot be read ({first_line(error)}); {advice}") from None
    checkpoints = sorted((folder / "artifacts").glob("*.ckpt"))
    if not checkpoints:
        raise InputError(f"{BEST}: has no checkpoint in {folder}; {advice}")
    return checkpoints[0]


def _get_best(store: Store) -> "ModelVersion | None":
    from mlflow.exceptions import MlflowException

    with suppress(MlflowException):
        return store.client.get_model_version_by_alias(EXPERIMENT, ALIAS)
    return None


def _is_as_good(store: Store, current: "ModelVersion", candidate: Candidate) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        run: MlflowRun = store.client.get_run(current.run_id)
    except MlflowException:
        return False
    same_data = run.data.tags.get("data_md5") == candidate.data_md5
    cer = run.data.metrics.get("test_cer")
    return run.info.lifecycle_stage == "active" and same_data and cer is not None and cer <= candidate.test_cer


def _find_or_create_version(store: Store, candidate: Candidate) -> str:
    for version in store.client.search_model_versions(f"name = '{EXPERIMENT}'"):
        if version.run_id == candidate.run_id:
            return str(version.version)
    run = store.client.get_run(candidate.run_id)
    model_id = last_model(run)
    created = store.client.create_model_version(
        EXPERIMENT,
        source=store.client.get_logged_model(model_id).artifact_location,
        run_id=candidate.run_id,
        model_id=model_id,
        tags=_version_tags(run.data.tags, candidate),
    )
    return str(created.version)


def _version_tags(run_tags: Mapping[str, str], candidate: Candidate) -> dict[str, str]:
    return {
        "experiment_key": candidate.experiment_key,
        "test_cer": f"{candidate.test_cer:.6f}",
        "run_id": candidate.run_id,
        **{name: run_tags[name] for name in _COPIED_TAGS if name in run_tags},
    }
