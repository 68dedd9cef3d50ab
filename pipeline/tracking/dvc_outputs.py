"""Read the files that DVC keeps, as evaluations and comparisons that MLflow can store."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.common import paths
from pipeline.common.files import file_md5
from pipeline.data.storage.line_store import read_height
from pipeline.metrics.error_rates import BY_SEED, SEED_STATISTICS
from pipeline.runtime.timings import read_timing
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings
from pipeline.tracking.comparisons import Comparison, Member
from pipeline.tracking.evaluations import Evaluation
from pipeline.tracking.run_description import run_note, run_settings, run_tags, run_variant

REPORTS = (
    *("index.html", "comparison.csv", "comparison.md", "confusions.csv", "groups.csv"),
    *("cer.png", "readings.png", "summary.json"),
)
"""Files of `reports/` that are logged with a comparison."""


def read_evaluation(
    key: str, experiment: ExperimentSettings, training: TrainingSettings, seed: int, pictures: Sequence[Path] = ()
) -> Evaluation:
    """Read the outputs of one seed; the metrics are empty if it is not evaluated yet."""
    return Evaluation(
        experiment_key=key,
        settings=run_settings(experiment, training, seed),
        tags=run_tags(experiment, seed),
        checkpoint=paths.checkpoint(key, seed),
        history=paths.history(key),
        metrics=read_metrics(key, seed),
        pictures=pictures,
        note=run_note(key, experiment, training),
        variant=run_variant(training, seed),
        seed=seed,
        height=read_height(paths.lines(experiment.lines)),
        training_metrics=_read_timing(key, "train", seed, "training_seconds"),
    )


def read_metrics(key: str, seed: int) -> dict[str, float]:
    """Read the test metrics of one seed, without the prefix `test_`; empty if it is not evaluated yet."""
    path = paths.metrics(key)
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if BY_SEED in metrics:
        of_seed = metrics[BY_SEED].get(str(seed))
        metrics = {name: v for name, v in metrics.items() if name not in SEED_STATISTICS} | of_seed if of_seed else {}
    numbers = {name.removeprefix("test_"): v for name, v in metrics.items() if isinstance(v, int | float)}
    return numbers | _read_timing(key, "evaluate", seed, "lines_per_second") if numbers else {}


def _read_timing(key: str, stage: paths.Stage, seed: int, name: str) -> dict[str, float]:
    """Read the timing of one seed as the metric `name`; empty if there is none."""
    by_seed = read_timing(key, stage).by_seed if paths.timings(key, stage).exists() else {}
    return {name: by_seed[str(seed)]} if str(seed) in by_seed else {}


def read_comparison(
    experiments: Mapping[str, ExperimentSettings], seeds: Mapping[str, Sequence[int]], reports: Path
) -> Comparison:
    """Read the results of all experiments, each with its seeds, and find those of the `REPORTS` that exist."""
    members = []
    for key, experiment in experiments.items():
        metrics = json.loads(paths.metrics(key).read_text(encoding="utf-8"))
        checkpoints = [paths.checkpoint(key, seed) for seed in seeds[key]]
        data_md5, test_set = file_md5(paths.lines(experiment.lines)), _test_set(key)
        members.append(Member(key, checkpoints, experiment.lines, data_md5, metrics["test_cer"], test_set))
    return Comparison(members, [reports / name for name in REPORTS if (reports / name).exists()])


def _test_set(key: str) -> str:
    """A hash of the pages and texts of the test lines, which are the same at any height; empty for synthetic lines."""
    if not (path := paths.predictions(key)).exists():
        return ""
    with path.open(encoding="utf-8", newline="") as file:
        lines = {(row["page"], row["text"]) for row in csv.DictReader(file) if row.get("page")}
    return hashlib.md5(json.dumps(sorted(lines)).encode(), usedforsecurity=False).hexdigest() if lines else ""
