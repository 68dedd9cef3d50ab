"""Take away the outputs of experiments, data sets and beam searches that `params.yaml` no longer has.

The stages `compare` and `decode` depend on whole folders, because DVC's templates cannot list one file for each
experiment. What else is in such a folder would be a part of their dependencies, but not of a clone that pulls.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

LOCK_FILE = Path("dvc.lock")
SECTIONS = {
    "synthesize": "lines",
    "import_lines": "own_lines",
    "import_recognizer": "pretrained",
    "own_language_model": "own_language_models",
    "train": "experiments",
    "evaluate": "experiments",
    "decode": "decoding",
}
"""The section of `params.yaml` whose keys a stage has a variant for."""


def remove_stale_outputs(params: Mapping[str, Any]) -> list[str]:
    """Remove the outputs of variants that `params` no longer have; return their paths.

    Only what `dvc.lock` lists and DVC's cache holds is removed: with its settings, `dvc repro` brings it back.
    """
    stale = [stage for stage in _stale_stages(params) if any(Path(out["path"]).exists() for out in stage["outs"])]
    if not stale:
        return []
    from dvc.repo import Repo  # takes a second

    with Repo() as repo:
        return [path for stage in stale for path in _remove_kept(repo, stage)]


def _stale_stages(params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if not LOCK_FILE.exists():
        return
    content = YAML(typ="safe").load(LOCK_FILE) or {}
    for address, stage in content.get("stages", {}).items():
        name, _, key = address.partition("@")
        if name in SECTIONS and key not in params.get(SECTIONS[name], {}):
            yield {"outs": [], **stage}


def _remove_kept(repo: Any, lock: Mapping[str, Any]) -> Iterator[str]:
    """Remove the outputs of one stage that are as `dvc.lock` says and in DVC's cache; yield their paths."""
    from dvc.stage import PipelineStage, create_stage
    from dvc.stage.loader import StageLoader

    paths = [out["path"] for out in lock["outs"]]
    stage = create_stage(PipelineStage, repo=repo, path="dvc.yaml", cmd=lock["cmd"], outs=paths)
    StageLoader.fill_from_lock(stage, lock)
    for out in stage.outs:
        if out.exists and not out.status():
            out.remove()
            yield out.def_path
