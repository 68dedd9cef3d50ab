"""What DVC's outputs say of an evaluation and of a comparison, as the tracker takes them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.common import paths
from pipeline.common.files import file_md5
from pipeline.metrics.error_rates import BY_SEED, OF_SEVERAL
from pipeline.runtime.timings import read_timing
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings
from pipeline.tracking.comparisons import Comparison, Member
from pipeline.tracking.evaluations import Evaluation
from pipeline.tracking.records import note_of, settings_of, tags_of, variant_of

REPORTS = ("index.html", "comparison.csv", "comparison.md", "confusions.csv", "cer.png", "readings.png", "summary.json")
"""What of `reports/` goes with the run of a comparison."""


def evaluation_of(
    key: str,
    experiment: ExperimentSettings,
    training: TrainingSettings,
    seed: int,
    pictures: Mapping[str, Path] | None = None,
) -> Evaluation:
    """The outputs of one seed as the tracker takes them; without metrics where it is not evaluated yet."""
    return Evaluation(
        experiment_key=key,
        settings=settings_of(experiment, training, seed),
        tags=tags_of(experiment, seed),
        checkpoint=paths.checkpoint(key, seed),
        history=paths.history(key),
        metrics=measured_of(key, seed),
        pictures=pictures or {},
        note=note_of(key, experiment, training),
        variant=variant_of(training, seed),
        seed=seed,
        training=timed_of(key, "train", seed, "training_seconds"),
    )


def measured_of(key: str, seed: int) -> dict[str, float]:
    """What evaluation measured with one seed, without the prefix `test_`; nothing where there is no evaluation yet."""
    path = paths.metrics(key)
    measured = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if BY_SEED in measured:
        own = measured[BY_SEED].get(str(seed))
        measured = {name: v for name, v in measured.items() if name not in OF_SEVERAL} | own if own else {}
    numbers = {name.removeprefix("test_"): v for name, v in measured.items() if isinstance(v, int | float)}
    return numbers | timed_of(key, "evaluate", seed, "lines_per_second") if numbers else {}


def timed_of(key: str, stage: paths.Stage, seed: int, name: str) -> dict[str, float]:
    """What was timed of one seed, under `name`; nothing where it was not."""
    by_seed = read_timing(key, stage).by_seed if paths.timings(key, stage).exists() else {}
    return {name: by_seed[str(seed)]} if str(seed) in by_seed else {}


def comparison_of(
    experiments: Mapping[str, ExperimentSettings], seeds: Mapping[str, Sequence[int]], reports: Path
) -> Comparison:
    """The compared experiments with the seeds of each, and the `REPORTS` in a folder."""
    members = []
    for key, experiment in experiments.items():
        measured = json.loads(paths.metrics(key).read_text(encoding="utf-8"))
        checkpoints = [paths.checkpoint(key, seed) for seed in seeds[key]]
        members.append(
            Member(key, checkpoints, experiment.lines, file_md5(paths.lines(experiment.lines)), measured["test_cer"])
        )
    files = {name: reports / name for name in REPORTS if (reports / name).exists()}
    return Comparison(members, files)
