"""What a project's stages need on another machine: files, settings of remotes, outputs of other stages."""

import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.common.errors import InputError
from pipeline.orchestration.cluster.archive import pack
from pipeline.orchestration.plan import CONSTANT, Plan
from pipeline.orchestration.stage import LOCK_FILE

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

SETTINGS = (Path(".dvc/config"), Path(".dvc/plots"))


@dataclass(frozen=True)
class Division:
    """The stages of a plan, by where and when they run."""

    before: set[str]
    """Here, before the others: `check`, what DVC's cache restores, what reads files that only this machine has."""
    cluster: set[str]
    """On the cluster."""
    after: set[str]
    """Here, after the others: what writes files that git keeps instead of DVC, so that no remote has them."""


class Project:
    """The DVC project in the current folder."""

    def __init__(self, repo: "Repo") -> None:
        self.repo = repo
        self.stages: dict[str, Stage] = {stage.addressing: stage for stage in repo.index.stages}

    def divide(self, plan: Plan) -> Division:
        """Divide the stages of the plan."""
        from networkx import ancestors, descendants

        graph, planned = self.repo.index.graph, set(plan.graph)  # edges lead from a stage to its dependencies
        after: set[str] = set()
        before: set[str] = set()
        for name in planned:
            stage = self.stages[name]
            if not all(out.use_cache for out in stage.outs):
                after |= {name, *(other.addressing for other in ancestors(graph, stage))}
        for name in planned - after:
            if name == CONSTANT or name in plan.restored or self._reads_own_files(self.stages[name]):
                before |= {name, *(other.addressing for other in descendants(graph, self.stages[name]))}
        before, after = before & planned - after, after & planned
        return Division(before, planned - before - after, after)

    def _reads_own_files(self, stage: "Stage") -> bool:
        """Whether a dependency is neither an output of another stage nor among the files that the cluster gets."""
        made = [Path(str(out)) for before in self._before(stage) for out in before.outs]
        return any(not _overlaps(path, made) and path not in self._shipped for path in _dependencies(stage))

    def refuse_new_files(self, stages: Iterable[str]) -> None:
        """Refuse files in folders that stages depend on, if git does not know them: the cluster would not get them.

        Raises:
            InputError: there are some.
        """
        read = {path for name in stages for path in _dependencies(self.stages[name])} & self._shipped
        new = [str(path) for path in self._git_files("--others", "--exclude-standard") if read & {*path.parents}]
        if new:
            raise InputError(f"{', '.join(new)}: new, and git does not know it; run `git add`, as the cluster needs it")

    @cached_property
    def _shipped(self) -> set[Path]:
        return {*self.files, *(parent for file in self.files for parent in file.parents)}

    def _git_files(self, *options: str) -> list[Path]:
        if self._without_git:
            return []
        listed = subprocess.run(["git", "ls-files", "-z", *options], stdout=subprocess.PIPE, check=True)
        return [Path(os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name]

    @property
    def _without_git(self) -> bool:
        return bool(self.repo.config["core"].get("no_scm"))

    def _before(self, stage: "Stage") -> list["Stage"]:
        return list(self.repo.index.graph.successors(stage))

    def inputs(self, name: str) -> list[str]:
        """Outputs of other stages that a stage depends on."""
        deps = [Path(str(dep)) for dep in self.stages[name].deps]
        outs = {Path(str(out)) for before in self._before(self.stages[name]) for out in before.outs}
        return sorted(str(out) for out in outs if _overlaps(out, deps))

    def lock_entries(self, name: str, lock: Mapping[str, Any]) -> dict[str, Any]:
        """The entries of `dvc.lock` that a stage needs: its own, and those of the stages that made its inputs."""
        names = [name, *(stage.addressing for stage in self._before(self.stages[name]))]
        return {name: lock[name] for name in names if name in lock}

    @cached_property
    def files(self) -> list[Path]:
        """Files that git tracks; without git, all that are no outputs and not ignored by DVC."""
        files = self._git_files()
        if self._without_git:
            outs = {Path(str(out)) for stage in self.stages.values() for out in stage.outs}
            found = self.repo.dvcignore.find(self.repo.fs, self.repo.root_dir)
            paths = [Path(path).relative_to(self.repo.root_dir) for path in found]
            settings = [path for place in SETTINGS for path in (place, *place.rglob("*"))]
            files = [path for path in paths if not outs & {path, *path.parents}] + settings
        uncached = {Path(str(out)) for stage in self.stages.values() for out in stage.outs if not out.use_cache}
        return [path for path in files if path.is_file() and path not in uncached and path != LOCK_FILE]

    @cached_property
    def code(self) -> bytes:
        """An archive of `files`, the same bytes for the same content."""
        return pack(self.files)

    @cached_property
    def identity(self) -> str:
        """A short hash of the files."""
        return hashlib.sha256(self.code).hexdigest()[:16]

    def remote_config(self, git: bool = False) -> str:
        """DVC's settings of the default remote, from all places where DVC looks for them, with their passwords.

        They are for a copy of the project, with or without `git`.

        Raises:
            InputError: the project has no default remote.
        """
        from configobj import ConfigObj

        config = self.repo.config
        name = config["core"].get("remote")
        if not name:
            raise InputError("--cluster: stages move their files through a DVC remote; name one: `dvc remote add -d`")
        remote = {key: str(value) for key, value in config["remote"][name].items()}
        lines: list[str] = ConfigObj(
            {"core": {"no_scm": str(not git), "remote": name}, f'remote "{name}"': remote}
        ).write()
        return "\n".join(lines) + "\n"


def _overlaps(path: Path, others: list[Path]) -> bool:
    return any(path == other or path in other.parents or other in path.parents for other in others)


def _dependencies(stage: "Stage") -> set[Path]:
    return {Path(str(dep)) for dep in stage.deps}
