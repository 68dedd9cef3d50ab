"""The models of a workspace: trained here, fetched with `dvc pull`, registered in MLflow, or of others."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.files import file_md5

BEST = "best"


@dataclass(frozen=True)
class Model:
    """A checkpoint of the workspace."""

    name: str
    path: Path
    test_cer: float | None = None
    """Of greedy decoding, where it was evaluated."""
    experiment: str | None = None
    is_best: bool = False
    """Whether it is the one registered in MLflow as the best."""


def has_models(folder: Path) -> bool:
    """Whether a folder has checkpoints of experiments or of recognizers that others trained."""
    patterns = (paths.checkpoint("*", 0).with_name("seed_*.ckpt"), paths.pretrained("*"))
    return any(any(folder.glob(str(pattern))) for pattern in patterns)


def find_models(root: Path) -> list[Model]:
    """The models of a project: the registered one first, then experiments by their CER, then those of others.

    CERs on different lines do not compare: experiments on the lines that most of them share come first. Of an
    experiment with several seeds, the first is meant.

    Raises:
        InputError: there is none.
    """
    models = _mark_best([*_find_experiments(root), *_find_pretrained(root)], root)
    if not models:
        raise InputError(advise())
    return models


def advise() -> str:
    """What to do where there is no model."""
    advice = "there is no model yet; make some with `make demo` or `dvc repro`, or get trained ones with `dvc pull`"
    return advice if _has_remote() else f"{advice}, after `dvc remote add --default NAME URL`: no remote is set"


def _has_remote() -> bool:
    from dvc.config import Config
    from dvc.exceptions import DvcException

    try:
        return bool(Config.from_cwd()["core"].get("remote"))
    except DvcException:
        return False


def _find_experiments(root: Path) -> list[Model]:
    found: dict[str, Path] = {}
    for path in sorted(root.glob(str(paths.models("*") / "seed_*.ckpt")), key=seed_of):
        found.setdefault(path.parent.name, path)
    models = [Model(name, path, _test_cer(root, name), name) for name, path in sorted(found.items())]
    lines = _lines(root, [model.name for model in models if model.test_cer is not None])
    shared = max(lines.values(), key=list(lines.values()).count, default=None)
    return sorted(models, key=lambda model: (model.test_cer is None, lines.get(model.name) != shared, model.test_cer))


def seed_of(path: Path) -> tuple[str, int]:
    """Experiment and seed of a checkpoint."""
    number = path.stem.removeprefix("seed_")
    return path.parent.name, int(number) if number.isdecimal() else 2**32


def _test_cer(root: Path, experiment: str) -> float | None:
    try:
        return float(json.loads((root / paths.metrics(experiment)).read_text(encoding="utf-8"))["test_cer"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _lines(root: Path, experiments: Sequence[str]) -> dict[str, str]:
    """The data set of each experiment that `params.yaml` has."""
    from pipeline.settings.base import read_params

    try:
        settings = read_params(root / "params.yaml").get("experiments") or {}
    except InputError:
        return {}
    return {key: settings[key]["lines"] for key in experiments if "lines" in (settings.get(key) or {})}


def _find_pretrained(root: Path) -> list[Model]:
    return [Model(f"pretrained/{path.stem}", path) for path in sorted(root.glob(str(paths.pretrained("*"))))]


def _mark_best(models: list[Model], root: Path) -> list[Model]:
    """Put the registered best model first; it is one of the experiments, or was trained elsewhere."""
    if not ((root / "mlflow.db").exists() or os.environ.get("MLFLOW_TRACKING_URI")):
        return models
    from pipeline.tracking.registry import best_checkpoint  # MLflow takes seconds to import

    try:
        path = best_checkpoint()
    except InputError:
        if models:
            return models
        raise
    md5 = file_md5(path)
    same = next((model for model in models if file_md5(model.path) == md5), None)
    best = replace(same, is_best=True) if same else Model(BEST, path, is_best=True)
    return [best, *(model for model in models if model is not same)]
