"""Times of the project in the working folder: its last full run, a run without work, and the start of each stage."""

import math
import subprocess
import sys
import timeit
from collections.abc import Iterator, Mapping

import pandas as pd

from benchmarks.growth import Row
from pipeline.common import paths
from pipeline.common.files import file_md5
from pipeline.report.pages.lecture import RESULTS
from pipeline.settings.base import read_params
from pipeline.settings.experiment import read_experiment
from pipeline.tracking.evaluations import find_newest_run
from pipeline.tracking.store import open_store

STAGES = ("check", "download", "corpus", "synthesize", "train", "evaluate", "compare")
LAB_CER = 0.086
"""Test CER that the lecture's code reaches on the lines of the re-split."""
LAB_LINES = 10 * 10_000
"""Training lines that the lecture's code needs for it: ten epochs, without validation."""


def training_runs() -> pd.DataFrame:
    """The training of each checkpoint: start, end, end of its evaluation (seconds), and its validation CER by time.

    Rows are named after the experiment, and after the seed where the settings have several.
    """
    store, rows = open_store(), {}
    for key in read_params()["experiments"]:
        seeds = read_experiment(key)[1].seeds
        for seed, checkpoint in ((seed, paths.checkpoint(key, seed)) for seed in seeds):
            run = find_newest_run(store, key, file_md5(checkpoint)) if checkpoint.exists() else None
            if run is None:
                continue
            names = ("val_cer", "test_cer")
            curve, tested = (store.client.get_metric_history(run.info.run_id, name) for name in names)
            if curve:
                rows[f"{key} (seed {seed})" if len(seeds) > 1 else key] = {
                    "start": run.info.start_time / 1000,
                    "end": max(metric.timestamp for metric in curve) / 1000,
                    "evaluated": max((metric.timestamp for metric in tested), default=math.inf) / 1000,
                    "curve": [(metric.timestamp / 1000, metric.value) for metric in curve],
                }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["start", "end", "evaluated", "curve"])


def last_run_times() -> Iterator[Row]:
    """Yield the minutes of all trainings together and of each.

    If they ran side by side, also the time from the first start to the last end, of all and of the lecture's.
    """
    runs = training_runs()
    minutes = (runs["end"] - runs["start"]) / 60
    yield f"all {len(runs)} trainings", "minutes", float(minutes.sum())
    parts, lecture = {"": runs}, runs[runs.index.isin(RESULTS)]
    if len(lecture) == len(RESULTS) < len(runs):
        parts["of the lecture's, "] = lecture
    for name, part in parts.items():
        whole = float(part["evaluated"].max() - part["start"].min()) / 60
        if whole < minutes[part.index].sum():
            yield f"{name}from the first training's start to the last evaluation's end", "minutes", whole
    for key, one in minutes.items():
        yield f"training of {key}", "minutes", float(one)


def time_to_lab_cer(lab_rate: float | None) -> Iterator[Row]:
    """Yield the minutes until the first experiment on `variable` lines reaches the lab's CER on validation lines."""
    runs = training_runs()
    reached: Mapping[str, float] = {
        str(key): next(t for t, cer in run["curve"] if cer <= LAB_CER) - run["start"]
        for key, run in runs.iterrows()
        if read_experiment(str(key).split(" ")[0])[0].lines == "variable"
        and min(cer for _, cer in run["curve"]) <= LAB_CER
    }
    if reached:
        key, seconds = min(reached.items(), key=lambda item: item[1])
        yield f"time to {LAB_CER:.1%} CER ({key})", "minutes", seconds / 60
    if lab_rate:
        yield "time of the lab's ten epochs at its rate", "minutes", LAB_LINES / lab_rate / 60


def idle_times(rounds: int = 3) -> Iterator[Row]:
    """Yield the seconds of `dvc repro` without work, of `dvc --version`, and of the imports of each stage."""
    yield "dvc repro with nothing to do", "seconds", _fastest([sys.executable, "-m", "dvc", "repro"], rounds)
    yield "dvc --version", "seconds", _fastest([sys.executable, "-m", "dvc", "--version"], rounds)
    for stage in STAGES:
        # `--help` ends after all imports and before any work.
        yield f"start of stage {stage}", "seconds", _fastest([sys.executable, "-m", "stages", stage, "--help"], rounds)


def _fastest(command: list[str], rounds: int) -> float:
    return min(timeit.repeat(lambda: subprocess.run(command, check=True, capture_output=True), number=1, repeat=rounds))
