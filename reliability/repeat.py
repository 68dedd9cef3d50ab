"""Run the same settings again from an empty cache: every output must have the same bytes."""

import random
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.common.progress import progress_bar
from pipeline.orchestration.workspace import make_workspace
from reliability.results import Row, Tally
from reliability.workspaces import DVC, OUTPUTS, PROJECT, Sources, Workspace, find_difference, make_small_workspace

VARIANTS = ((1, "0"), (2, "0"), (1, "1"), (2, "random"))
"""Numbers of threads and hash seeds. Characters and lines do not depend on them."""


def measure(folder: Path, sources: Sources, seconds: float, seed: int = 0) -> list[Row]:
    """Run again and again for `seconds`, at least once of each kind."""
    workspace = make_small_workspace(folder / "workspace", sources)
    expected = _outputs_from_nothing(workspace)
    same, elsewhere = (
        Tally("repeat: dvc repro from an empty cache"),
        Tally("repeat: lines with other threads, hash seeds"),
    )
    variants = list(VARIANTS)
    random.Random(seed).shuffle(variants)
    end, turn = time.monotonic() + seconds, 0
    with progress_bar(desc="repeat", unit="run") as bar:
        while turn < 2 or time.monotonic() < end:
            if turn % 2:
                _count(same, lambda: find_difference(expected, _outputs_from_nothing(workspace)))
            else:
                threads, hash_seed = variants[turn // 2 % len(variants)]
                other = replace(workspace, threads=threads, hash_seed=hash_seed)
                wanted = {path: name for path, name in expected.items() if path.startswith("data/")}
                _count(
                    elsewhere, lambda other=other, wanted=wanted: find_difference(wanted, _lines_from_nothing(other))
                )
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
    """Run the project's pipeline from an empty cache; return the first output that differs from dvc.lock, or "".

    Reports are not compared: they are not in the cache and contain times.
    """
    own, root = read_locked_hashes(Path("dvc.lock")), folder / "workspace"
    make_workspace(PROJECT, root, {})
    shutil.copy("params.yaml", root)
    if (downloads := Path(".downloads")).is_dir():
        (root / ".downloads").symlink_to(downloads.resolve())
    # As many threads as the project's own run: floating-point sums depend on their number.
    again = Workspace(root, threads=None, hash_seed="random")
    status, printed = again.run(*DVC, "repro", seconds=float("inf"))
    if status:
        return f"dvc repro ended with {status}: {printed[-500:]}"
    found = read_locked_hashes(root / "dvc.lock")
    compared = {path: md5 for path, md5 in own.items() if path in found and not path.startswith("reports/")}
    wrong = find_difference(compared, {path: found[path] for path in compared})
    if wrong or set(own) == set(found):
        return wrong
    return f"{min(set(own) ^ set(found))} is an output of one run alone"


def read_locked_hashes(path: Path) -> dict[str, str]:
    """Read the hash of every output from a dvc.lock."""
    stages: Mapping[str, Any] = YAML(typ="safe", pure=True).load(path)["stages"]
    outputs = [out for stage in stages.values() for out in stage.get("outs", [])]
    return {out["path"]: out["md5"] for out in outputs if out["path"].split("/")[0] in OUTPUTS}
