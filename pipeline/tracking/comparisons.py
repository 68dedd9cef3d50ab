"""Log the comparison of experiments: a run above theirs, and the best model in the registry."""

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

PARENT_TAG = "mlflow.parentRunId"
"""MLflow shows a run with this tag below the run that the tag names."""


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
    """The lowest test CER on the data set that most members share; on a tie, on the last of these data sets.

    Rates on different lines do not compare: lines without overlap are easier.
    """
    names = [member.lines for member in members]
    most_used = max(reversed(list(dict.fromkeys(names))), key=names.count)
    return min((member for member in members if member.lines == most_used), key=lambda member: member.test_cer)


def _log(store: Store, comparison: Comparison) -> Member | None:
    """Log a comparison and return its best member if that is newly registered."""
    run_ids = {member.experiment_key: _find_run_ids(store, member) for member in comparison.members}
    first_run_ids = {key: ids[0] for key, ids in run_ids.items()}
    parent = _log_parent_run(store, comparison, first_run_ids)
    for run_id in filter(None, (run_id for ids in run_ids.values() for run_id in ids)):
        # A cached experiment stays below the comparison that it was made for.
        if PARENT_TAG not in store.client.get_run(run_id).data.tags:
            Run(store, run_id).set_tags({PARENT_TAG: parent.id})
    best = best_member(comparison.members)
    best_run_id = first_run_ids[best.experiment_key]
    if best_run_id is None:
        return None
    candidate = Candidate(best_run_id, best.experiment_key, best.data_md5, best.test_cer)
    return best if register_best(store, candidate) else None


def _find_run_ids(store: Store, member: Member) -> list[str | None]:
    runs = [find_newest_run(store, member.experiment_key, md5) if md5 else None for md5 in _md5s(member.checkpoints)]
    return [run.info.run_id if run else None for run in runs]


def _md5s(files: Sequence[Path]) -> list[str]:
    return [file_md5(path) if path.exists() else "" for path in files]


def _log_parent_run(store: Store, comparison: Comparison, run_ids: Mapping[str, str | None]) -> Run:
    """Find or create the run with this result, and log the report files as they are now."""
    digest = comparison.md5
    found = store.client.search_runs(
        [store.experiment_id], f"tags.comparison_md5 = '{digest}'", max_results=1, order_by=["attributes.start_time"]
    )
    if found:
        run = Run(store, found[0].info.run_id)
        _log_files(run, comparison)
        return run
    best = best_member(comparison.members)
    tags = {**origin_tags(), "source": "compare", "best": best.experiment_key, "lines": best.lines}
    note = _write_note(store, comparison, run_ids)
    with create_run(store, "comparison", {"experiments": len(run_ids)}, tags, note) as run:
        run.log_metrics({"test_cer": best.test_cer})
        _log_files(run, comparison)
        # Last, so that an incomplete run is never found again.
        run.set_tags({"comparison_md5": digest})
    return run


def _log_files(run: Run, comparison: Comparison) -> None:
    for file in comparison.files:
        run.log_file(file)


def _write_note(store: Store, comparison: Comparison, run_ids: Mapping[str, str | None]) -> str:
    """Markdown for the run's page, with a link to every member, also to those below an earlier comparison."""
    rows = [
        f"| {_link(member.experiment_key, store, run_ids[member.experiment_key])} "
        f"| {member.lines} | {member.test_cer:.2%} |"
        for member in comparison.members
    ]
    name = os.environ.get("DVC_EXP_NAME")
    title = f"DVC experiment `{name}`." if name else "`dvc repro`."
    header = [
        f"{title} The report is the artifact index.html.",
        "",
        "| run | lines | test CER |",
        "| --- | --- | --- |",
    ]
    return "\n".join([*header, *rows])


def _link(key: str, store: Store, run_id: str | None) -> str:
    return f"[{key}](#/experiments/{store.experiment_id}/runs/{run_id})" if run_id else key
