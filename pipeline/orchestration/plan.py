"""Which stages `dvc repro` would run, from DVC's own graph and status.

`dvc repro --dry` stops at the first missing file, and does not name stages whose inputs change only while it runs.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.common.errors import InputError
from pipeline.orchestration.dvc_repair import explain_failure

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

Graph = Mapping[str, set[str]]
"""For each stage to run, the other stages to run that it depends on."""
CONSTANT = "check"
"""The stage whose outputs are always the same: what comes after it does not run because of it."""
SHOWN = 4
"""How many reasons a stage is listed with."""


@dataclass
class Plan:
    """What happens to each stage that is not up to date; stages stand in an order in which they can run."""

    graph: Graph = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    """Stages that run, and why."""
    restored: list[str] = field(default_factory=list)
    """Stages whose outputs DVC takes from its cache."""
    following: list[str] = field(default_factory=list)
    """Stages that come after changed ones, and do not run if their inputs turn out unchanged."""

    def __contains__(self, stage: str) -> bool:
        return stage in self.changed or stage in self.restored or stage in self.following

    def describe(self) -> str:
        """Several lines for the user."""
        lines = [f"{len(self.changed)} would run:"] * bool(self.changed)
        lines += [f"  {stage}: {reason}" for stage, reason in self.changed.items()]
        for title, stages in (
            ("would be restored from DVC's cache", self.restored),
            ("come after others, and run unless their inputs turn out unchanged", self.following),
        ):
            lines += [f"{len(stages)} {title}:", *(f"  {stage}" for stage in stages)] if stages else []
        return "\n".join(lines) or "everything is up to date"


def make_plan(targets: Sequence[str] = ()) -> Plan:
    """Plan the stages that `targets` need; by default all.

    Raises:
        InputError: DVC cannot read the project, or knows no such stage.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.WARNING)  # it announces each stage that it would restore
    try:
        with Repo() as repo:
            return _make_plan(repo, targets)
    except Exception as error:  # for a setting that does not fit into dvc.yaml, DVC raises anything
        if problem := explain_failure(Path.cwd()):
            raise InputError(problem) from None
        if isinstance(error, DvcException):
            raise InputError(f"dvc: {error}") from None
        raise


def _make_plan(repo: "Repo", targets: Sequence[str]) -> Plan:
    from networkx import descendants, topological_sort

    graph = repo.index.graph  # edges lead from a stage to its dependencies
    names: Sequence[str | None] = targets or [None]
    wanted = {stage for name in names for stage in repo.stage.collect(name)}
    needed = wanted.union(*(descendants(graph, stage) for stage in wanted))
    status = repo.status(list(targets) or None, with_deps=True)
    plan = Plan()
    uncertain: set[str] = set()
    for stage in reversed([stage for stage in topological_sort(graph) if stage in needed]):
        name, before, entries = stage.addressing, list(graph.successors(stage)), status.get(stage.addressing, [])
        made = {Path(str(out)) for other in before for out in other.outs}
        remade = {Path(str(out)) for other in before if other.addressing in plan for out in other.outs}
        follows = any(other.addressing in uncertain for other in before) or _gains_files(stage, entries, remade)
        reasons = list(_changes(entries, made, remade))
        has_run = any(out.hash_info for out in stage.outs)
        cached = bool(reasons) and not follows and _in_run_cache(repo, stage)
        if reasons and not cached:
            plan.changed[name] = _shorten(reasons) if has_run else "has not run yet"
        elif not reasons and _lacks_outputs(stage, entries):
            plan.changed[name] = "its outputs are missing"
        elif follows:
            plan.following.append(name)
        elif entries:
            plan.restored.append(name)
        if name != CONSTANT and (cached or name in plan.changed or name in plan.following):
            uncertain.add(name)
    plan.graph = {
        stage.addressing: {before.addressing for before in graph.successors(stage) if before.addressing in plan}
        for stage in graph
        if stage.addressing in plan
    }
    return plan


def _changes(entries: Sequence[Any], made: set[Path], remade: set[Path]) -> Iterator[str]:
    """What has changed since the stage ran: keys, files, its command.

    Files that are missing do not count if another stage makes them (`made`), others not if one is about to (`remade`).
    """
    for entry in entries:
        if isinstance(entry, str):
            yield entry.removeprefix("changed ")
            continue
        for path, change in entry.get("changed deps", {}).items():
            if isinstance(change, Mapping):
                yield from change
            elif not _overlap(path, made if change == "deleted" else remade):
                yield f"{path} is missing" if change == "deleted" else path


def _shorten(reasons: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(reasons))
    rest = len(distinct) - SHOWN
    return ", ".join(distinct[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _gains_files(stage: "Stage", entries: Sequence[Any], remade: set[Path]) -> bool:
    """Whether files come into folders, or files change, that the stage depends on and that are there already."""
    changes = {path: change for entry in entries if isinstance(entry, Mapping) for path, change in entry.items()}
    missing = {path for path, change in changes.get("changed deps", {}).items() if change == "deleted"}
    present = {str(dep) for dep in stage.deps} - missing
    modified = {path for path in present if path in changes.get("changed deps", {})}
    return any(_overlap(path, remade) for path in modified) or any(
        Path(path) in out.parents for path in present for out in remade
    )


def _overlap(path: str, outputs: set[Path]) -> bool:
    here = Path(path)
    return any(here == out or here in out.parents or out in here.parents for out in outputs)


def _in_run_cache(repo: "Repo", stage: "Stage") -> bool:
    """Whether DVC knows a run with these inputs, and has its outputs."""
    from dvc.exceptions import DvcException
    from dvc_data.hashfile.hash_info import HashInfo

    try:
        stage.save_deps()
        for out in stage.outs:
            out.hash_info = HashInfo()  # those of the last run would count as those of this one
        repo.stage_cache.restore(stage, dry=True)
    except (DvcException, OSError):  # no such run, or an input is missing
        return False
    return True


def _lacks_outputs(stage: "Stage", entries: Sequence[Any]) -> bool:
    """Whether outputs are missing and DVC does not restore them.

    It never does for stages without dependencies or with a persistent output.
    """
    missing = any("changed outs" in entry for entry in entries if isinstance(entry, Mapping))
    return missing and (not stage.deps or any(out.persist or out.changed_cache() for out in stage.outs))
