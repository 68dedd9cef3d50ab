"""The same settings from an empty cache again: every output must be the same, byte by byte."""

import random
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tqdm import tqdm

from pipeline.orchestration.workspace import make_workspace
from reliability.results import Row, Tally
from reliability.workspaces import DVC, OUTPUTS, PROJECT, Sources, Workspace, difference, make

VARIANTS = ((1, "0"), (2, "0"), (1, "1"), (2, "random"))
"""Numbers of threads and hash seeds under which characters and lines are the same."""


def measure(folder: Path, sources: Sources, seconds: float, seed: int = 0) -> list[Row]:
    """Run again and again for that long, at least once."""
    workspace = make(folder / "workspace", sources)
    expected = _outputs_from_nothing(workspace)
    same, elsewhere = (
        Tally("repeat: dvc repro from an empty cache"),
        Tally("repeat: lines with other threads, hash seeds"),
    )
    variants = list(VARIANTS)
    random.Random(seed).shuffle(variants)
    end, turn = time.monotonic() + seconds, 0
    with tqdm(desc="repeat", unit="run", disable=None) as bar:
        while turn < 2 or time.monotonic() < end:
            if turn % 2:
                _count(same, lambda: difference(expected, _outputs_from_nothing(workspace)))
            else:
                threads, hash_seed = variants[turn // 2 % len(variants)]
                other = replace(workspace, threads=threads, hash_seed=hash_seed)
                wanted = {path: name for path, name in expected.items() if path.startswith("data/")}
                _count(elsewhere, lambda other=other, wanted=wanted: difference(wanted, _lines_from_nothing(other)))
            turn += 1
            bar.update()
    return [same.row(), elsewhere.row()]


def _count(tally: Tally, compare: Callable[[], str]) -> None:
    found = compare()
    tally.add(*([found] if found else []))


def _outputs_from_nothing(workspace: Workspace) -> dict[str, str]:
    workspace.forget()
    status, printed = workspace.repro()
    assert status == 0, printed
    return workspace.outputs()


def _lines_from_nothing(workspace: Workspace) -> dict[str, str]:
    workspace.forget()
    status, printed = workspace.run(*DVC, "repro", "synthesize")
    assert status == 0, printed
    return workspace.outputs()


def check_own(folder: Path) -> str:
    """Run the project's own pipeline from an empty cache, and name the first output that differs from `dvc.lock`.

    The reports, which are no part of the cache and state times, are not compared.
    Empty if all are the same.
    """
    own, root = locked(Path("dvc.lock")), folder / "workspace"
    make_workspace(PROJECT, root, {})
    shutil.copy("params.yaml", root)
    if (downloads := Path(".downloads")).is_dir():
        (root / ".downloads").symlink_to(downloads.resolve())
    # As many threads as the project's own run had: sums of floating-point numbers depend on it.
    again = Workspace(root, threads=None, hash_seed="random")
    status, printed = again.run(*DVC, "repro", seconds=float("inf"))
    if status:
        return f"dvc repro ended with {status}: {printed[-500:]}"
    found = locked(root / "dvc.lock")
    compared = {path: md5 for path, md5 in own.items() if path in found and not path.startswith("reports/")}
    wrong = difference(compared, {path: found[path] for path in compared})
    if wrong or set(own) == set(found):
        return wrong
    return f"{min(set(own) ^ set(found))} is an output of one run alone"


def locked(path: Path) -> dict[str, str]:
    """The hash of every output that a `dvc.lock` holds."""
    stages: Mapping[str, Any] = YAML(typ="safe", pure=True).load(path)["stages"]
    outputs = [out for stage in stages.values() for out in stage.get("outs", [])]
    return {out["path"]: out["md5"] for out in outputs if out["path"].split("/")[0] in OUTPUTS}
