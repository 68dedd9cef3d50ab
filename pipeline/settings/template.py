"""What the templates of `dvc.yaml` need of `params.yaml`. Where it is missing, DVC may only say "unexpected error"."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.common.paths import LANGUAGE_MODEL
from pipeline.settings.base import NO_FILE

MODELS = "models"


def template_problems(params: Mapping[str, Any]) -> Iterator[str]:
    """Name the settings that are absent or no text although `dvc.yaml` puts them into paths, and circles of `load`."""
    for section in ("emnist", "corpus"):
        if not _is_text(_block(params, section).get("archive")):
            yield f"{section}.archive: must be a path, or {NO_FILE} for no file"
    experiments, decoding = _block(params, "experiments"), _block(params, "decoding")
    without = [f"experiments.{key}.load" for key in experiments if not _is_text(_block(experiments, key).get("load"))]
    if without:
        yield f"{', '.join(without)}: must be the path of a checkpoint to start from, or {NO_FILE} to start from none"
    for key in experiments:
        if not _is_text(_block(experiments, key).get("lines")):
            yield f"experiments.{key}.lines: must be a key of the section lines"
        elif key in (sources := _sources(key, experiments)):
            yield f"experiments.{key}.load: starts from its own weights, by {' and '.join(sources)}; start from others"
    for key in decoding:
        if not _is_text(_block(decoding, key).get("experiment")):
            yield f"decoding.{key}.experiment: must be a key of the section experiments"
        if not _is_text(_block(decoding, key).get("language_model")):
            yield f"decoding.{key}.language_model: must be the path of a language model, such as {LANGUAGE_MODEL}"
    models = _block(params, "own_language_models")
    for key in models:
        if not _is_text(_block(models, key).get("lines")):
            yield f"own_language_models.{key}.lines: must be a key of the section own_lines"
        if not _is_text(_block(models, key).get("text")):
            yield f"own_language_models.{key}.text: must be the path of a text file, or {NO_FILE} for no file"


def loaded_experiment(load: object) -> str | None:
    """The experiment that trains the checkpoint `load`, if this path is below `models/`."""
    parts = Path(load).parts if isinstance(load, str) else ()
    return parts[1] if len(parts) > 1 and parts[0] == MODELS else None


def _sources(key: str, experiments: Mapping[str, Any]) -> list[str]:
    """The experiments whose weights lead to those of `key`, nearest first, up to the first that comes twice."""
    found: list[str] = []
    source = loaded_experiment(_block(experiments, key).get("load"))
    while source is not None and source not in found:
        found.append(source)
        source = loaded_experiment(_block(experiments, source).get("load"))
    return found


def _block(params: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    block = params.get(key)
    return block if isinstance(block, Mapping) else {}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
