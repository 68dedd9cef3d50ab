"""The comparison of experiments: a run of its own above theirs, and the best of them in the registry."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.common.errors import InputError
from pipeline.common.files import file_md5
from pipeline.tracking.evaluations import newest_run
from pipeline.tracking.origin import origin_tags
from pipeline.tracking.registry import BEST, Candidate, register_best
from pipeline.tracking.run import create_run, warn_not_kept
from pipeline.tracking.store import Store, open_store
from pipeline.tracking.writer import RunWriter, status_of_block

PARENT = "mlflow.parentRunId"
"""The tag by which MLflow shows one run beneath another."""


@dataclass(frozen=True)
class Member:
    """A compared experiment; `lines` names its data set, `test_cer` is a fraction, over its seeds."""

    experiment_key: str
    checkpoints: Sequence[Path]
    """One for each seed; the first is the one that can become the best."""
    lines: str
    data_md5: str
    test_cer: float


@dataclass(frozen=True)
class Comparison:
    """What the stage `compare` left: members in the order of the settings, and its files by name in the run."""

    members: Sequence[Member]
    files: Mapping[str, Path]

    @property
    def md5(self) -> str:
        """What tells one result from another: the models, their lines and error rates, but no times."""
        told = [
            [one.experiment_key, one.lines, one.data_md5, one.test_cer, *_md5s(one.checkpoints)] for one in self.members
        ]
        return hashlib.md5(json.dumps(told).encode(), usedforsecurity=False).hexdigest()


def log_comparison(comparison: Comparison) -> None:
    """Keep a comparison, once for each distinct result, and register its best model.

    Trouble with the store is one warning on stderr: the report is written anyway.
    """
    try:
        best = record_comparison(open_store(), comparison)
        if best:
            print(f"compare: {best.experiment_key} is now {BEST} in MLflow, CER {best.test_cer:.2%} on '{best.lines}'")
    except Exception as error:  # Whatever it is, the comparison itself is done and kept.
        warn_not_kept(error)


def record_comparison(store: Store, comparison: Comparison) -> Member | None:
    """As `log_comparison`, but trouble is raised; the member that is now the best, if that is new."""
    of_seeds = {one.experiment_key: _runs_of(store, one) for one in comparison.members}
    runs = {key: found[0] for key, found in of_seeds.items()}
    writer = _run(store, comparison, runs)
    for run_id in filter(None, (run_id for found in of_seeds.values() for run_id in found)):
        # A cached experiment stays beneath the comparison that it was made for.
        if PARENT not in store.client.get_run(run_id).data.tags:
            RunWriter(store, run_id).tag({PARENT: writer.run_id})
    best = best_member(comparison.members)
    trained = runs[best.experiment_key]
    candidate = Candidate(trained or "", best.experiment_key, best.data_md5, best.test_cer)
    return best if trained and register_best(store, candidate) else None


def best_member(members: Sequence[Member]) -> Member:
    """The lowest test CER on the data set of lines that most members share, of equally many on the last.

    Rates of different lines do not compare: lines without overlap are the easier ones.
    """
    names = [one.lines for one in members]
    shared = max(reversed(list(dict.fromkeys(names))), key=names.count)
    return min((one for one in members if one.lines == shared), key=lambda one: one.test_cer)


def _runs_of(store: Store, member: Member) -> list[str | None]:
    runs = [newest_run(store, member.experiment_key, md5) if md5 else None for md5 in _md5s(member.checkpoints)]
    return [run.info.run_id if run else None for run in runs]


def _md5s(files: Sequence[Path]) -> list[str]:
    return [file_md5(path) if path.exists() else "" for path in files]


def _run(store: Store, comparison: Comparison, runs: Mapping[str, str | None]) -> RunWriter:
    """The run with this result, made where there is none, with the files as they are now."""
    digest = comparison.md5
    found = store.client.search_runs(
        [store.experiment_id], f"tags.comparison_md5 = '{digest}'", max_results=1, order_by=["attributes.start_time"]
    )
    if found:
        writer = RunWriter(store, found[0].info.run_id)
        _keep_files(writer, comparison)
        return writer
    best = best_member(comparison.members)
    tags = {**origin_tags(), "source": "compare", "best": best.experiment_key, "lines": best.lines}
    writer = create_run(store, "comparison", {"experiments": len(runs)}, tags, _note(store, comparison, runs), "")
    with status_of_block(writer):
        writer.log_metrics({"test_cer": best.test_cer})
        _keep_files(writer, comparison)
        # Last, so that a run that is not whole is never found again.
        writer.tag({"comparison_md5": digest})
    return writer


def _keep_files(writer: RunWriter, comparison: Comparison) -> None:
    for name, file in comparison.files.items():
        writer.log_file(name, file)


def _note(store: Store, comparison: Comparison, runs: Mapping[str, str | None]) -> str:
    """Markdown for the run's page: every member with a link, also those that an earlier comparison has beneath it."""
    rows = [
        f"| {_linked(one.experiment_key, store, runs[one.experiment_key])} | {one.lines} | {one.test_cer:.2%} |"
        for one in comparison.members
    ]
    name = os.environ.get("DVC_EXP_NAME")
    title = f"DVC experiment `{name}`." if name else "`dvc repro`."
    return "\n".join(
        [
            f"{title} The report is the artifact index.html.",
            "",
            "| run | lines | test CER |",
            "| --- | --- | --- |",
            *rows,
        ]
    )


def _linked(key: str, store: Store, run_id: str | None) -> str:
    return f"[{key}](#/experiments/{store.experiment_id}/runs/{run_id})" if run_id else key


def sync_comparison(comparison: Comparison) -> None:
    """Rebuild the comparison and the registry; `InputError` when the store cannot be used."""
    store = open_store()
    try:
        record_comparison(store, comparison)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"MLflow store {store.uri} did not take the comparison ({error})") from error
