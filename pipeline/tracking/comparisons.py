"""Log the comparison of experiments: a run that links to theirs, and the best model in the registry."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.common.errors import InputError
from pipeline.common.files import file_md5
from pipeline.tracking.evaluations import find_newest_run
from pipeline.tracking.registry import BEST, Candidate, register_best
from pipeline.tracking.run import Run, warn_not_kept
from pipeline.tracking.start import create_run, origin_tags
from pipeline.tracking.store import Store, open_store
from pipeline.tracking.store_errors import first_line
from pipeline.tracking.views import compare_address, save_views

TAG = "comparison"
"""On a training: the short name of the newest comparison that it is part of."""
_SHORT = 8


@dataclass(frozen=True)
class Member:
    """A compared experiment."""

    experiment_key: str
    checkpoints: Sequence[Path]
    """One for each seed; only the first one can become the best model."""
    lines: str
    """The name of its data set."""
    data_md5: str
    test_cer: float
    """A fraction; the mean over its seeds."""
    test_set: str = ""
    """What its test lines have in common with those of other data sets: the same for lines of the same pages. Without
    it, they are compared with those of its own data set only."""


@dataclass(frozen=True)
class Comparison:
    """The outputs of the stage `compare`: members in the order of the settings, and its report files."""

    members: Sequence[Member]
    files: Sequence[Path]

    @property
    def md5(self) -> str:
        """A hash of the result: models, lines and error rates, but no timings."""
        result = [
            [member.experiment_key, member.lines, member.data_md5, member.test_cer, *_md5s(member.checkpoints)]
            for member in self.members
        ]
        return hashlib.md5(json.dumps(result).encode(), usedforsecurity=False).hexdigest()

    @property
    def name(self) -> str:
        """The first characters of the hash."""
        return self.md5[:_SHORT]


def log_comparison(comparison: Comparison) -> None:
    """Log a comparison, once for each distinct result, and register its best model.

    An error of the store is one warning on stderr, since the report is written anyway.
    """
    try:
        best = _log(open_store(), comparison)
        if best:
            print(f"compare: {best.experiment_key} is now {BEST} in MLflow, CER {best.test_cer:.2%} on '{best.lines}'")
    except Exception as error:  # Of any kind: the report is written already.
        warn_not_kept(error)


def sync_comparison(comparison: Comparison) -> None:
    """Rebuild the comparison and the registry; `InputError` if the store cannot be used."""
    store = open_store()
    try:
        _log(store, comparison)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"MLflow store {store.address} did not take the comparison ({first_line(error)})") from error


def best_member(members: Sequence[Member]) -> Member:
    """The lowest test CER on the test lines that most members share; on a tie, on the last of these.

    Rates on different lines do not compare: lines without overlap are easier.
    """
    names = [member.test_set or member.lines for member in members]
    most_used = max(reversed(list(dict.fromkeys(names))), key=names.count)
    competing = [member for member, name in zip(members, names, strict=True) if name == most_used]
    return min(competing, key=lambda member: member.test_cer)


def _log(store: Store, comparison: Comparison) -> Member | None:
    """Log a comparison and return its best member if that is newly registered."""
    save_views(store)
    run_ids = {member.experiment_key: _find_run_ids(store, member) for member in comparison.members}
    _log_run(store, comparison, run_ids)
    for ids in run_ids.values():
        for run_id in ids:
            Run(store, run_id).set_tags({TAG: comparison.name})
    best = best_member(comparison.members)
    first_md5 = _md5s(best.checkpoints)[0]
    found = find_newest_run(store, best.experiment_key, first_md5) if first_md5 else None
    if found is None:
        return None
    candidate = Candidate(found.info.run_id, best.experiment_key, best.data_md5, best.test_cer)
    return best if register_best(store, candidate) else None


def _find_run_ids(store: Store, member: Member) -> list[str]:
    """Find the trainings of all seeds; those that the store lacks are left out."""
    runs = [find_newest_run(store, member.experiment_key, md5) for md5 in _md5s(member.checkpoints) if md5]
    return [run.info.run_id for run in runs if run]


def _md5s(files: Sequence[Path]) -> list[str]:
    """The hashes of files; that of a missing one is empty."""
    return [file_md5(path) if path.exists() else "" for path in files]


def _log_run(store: Store, comparison: Comparison, run_ids: Mapping[str, Sequence[str]]) -> None:
    """Find or create the run with this result, and log the report files as they are now."""
    digest = comparison.md5
    found = store.client.search_runs(
        [store.experiment_id], f"tags.comparison_md5 = '{digest}'", max_results=1, order_by=["attributes.start_time"]
    )
    if found:
        _log_files(Run(store, found[0].info.run_id), comparison)
        return
    best = best_member(comparison.members)
    links = {f"runs.{key}": " ".join(ids) for key, ids in run_ids.items() if ids}
    tags = {**origin_tags(), "source": "compare", "best": best.experiment_key, "lines": best.lines, **links}
    note = _write_note(store, comparison, run_ids)
    with create_run(store, "comparison", {"experiments": len(run_ids)}, tags, note, comparison.name) as run:
        run.log_metrics({"test_cer": best.test_cer})
        _log_files(run, comparison)
        # Last, so that an incomplete run is never found again.
        run.set_tags({"comparison_md5": digest})


def _log_files(run: Run, comparison: Comparison) -> None:
    for file in comparison.files:
        run.log_file(file)


def _write_note(store: Store, comparison: Comparison, run_ids: Mapping[str, Sequence[str]]) -> str:
    """Markdown for the run's page, with links to every member and to all of them side by side."""
    name = os.environ.get("DVC_EXP_NAME")
    title = f"DVC experiment `{name}`." if name else "`dvc repro`."
    side_by_side = compare_address(store, [run_id for ids in run_ids.values() for run_id in ids])
    rows = [
        f"| {_link(store, member.experiment_key, run_ids[member.experiment_key])} "
        f"| {member.lines} | {member.test_cer:.2%} |"
        for member in comparison.members
    ]
    header = [
        f"{title} The report is the artifact index.html. [Compare these runs]({side_by_side}).",
        "",
        "| run | lines | test CER |",
        "| --- | --- | --- |",
    ]
    return "\n".join([*header, *rows])


def _link(store: Store, key: str, run_ids: Sequence[str]) -> str:
    """A link to the first seed's run, or the name alone if the store lacks it."""
    return f"[{key}](#/experiments/{store.experiment_id}/runs/{run_ids[0]})" if run_ids else key
