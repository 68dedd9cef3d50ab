"""Count how often the confidence intervals of the reports hold for other characters and other texts.

    python -m pipeline intervals cnn_ctc_variable lstm_ctc_variable --sets 200

The command draws test sets anew from the test characters and the test text, and reads them with models that `dvc repro`
has trained. All named experiments have the same data set of lines. With several, differences are compared too.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.common.progress import progress_bar
from pipeline.data.storage.characters import read_characters
from pipeline.data.storage.corpus import read_corpus
from pipeline.data.storage.line_store import read_attributes
from pipeline.models.checkpoint import load_checkpoint
from pipeline.report.pages.comparison import write_table
from pipeline.runtime.hardware import choose_compute_config, prepare_cpu
from pipeline.settings.base import read_section
from pipeline.settings.experiment import ExperimentSettings, read_experiment
from pipeline.settings.lines import LinesSettings
from pipeline.studies.intervals import FreshTestSets, count_coverage, measure_intervals
from pipeline.studies.intervals_report import intervals_page
from pipeline.studies.variants_report import describe_changes

CHARACTERS, CORPUS = Path("data/characters.h5"), Path("data/corpus.json")
OUTPUT = Path("reports/studies/intervals")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("experiments", nargs="+", metavar="experiment", help="a key of the section `experiments`")
    parser.add_argument("--sets", type=int, default=100, help="test sets to draw (default: 100)")
    parser.add_argument("--lines", type=int, help="lines of each set; by default those of the data set's test lines")
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"folder of the report (default: {OUTPUT})")


def main(experiments: list[str], sets: int, lines: int | None, seed: int, output: Path) -> None:
    """Draw and read the test sets; write intervals.csv and intervals.md.

    Raises:
        InputError: the experiments have different lines, or a file that they need is missing.
    """
    if sets < 2 or (lines is not None and lines < 1):
        raise InputError("intervals: --sets must be at least 2, and --lines at least 1")
    prepare_cpu()
    found = {key: read_experiment(key) for key in dict.fromkeys(experiments)}
    names = {experiment.lines for experiment, _ in found.values()}
    if len(names) > 1:
        raise InputError(f"intervals: the experiments have different lines ({', '.join(sorted(names))}); name others")
    name, training = names.pop(), next(iter(found.values()))[1]
    settings = read_section(LinesSettings, "lines", name)
    recognizers = {key: load_checkpoint(paths.checkpoint(key, one.seeds[0]))[1] for key, (_, one) in found.items()}
    source = FreshTestSets(
        read_corpus(CORPUS, "test"), read_characters(CHARACTERS, "test"), settings, lines or settings.test
    )
    attributes = read_attributes(paths.lines(name))
    compute = choose_compute_config(training.trainer.precision, training.trainer.accelerator)
    measured = []
    for number in progress_bar(range(sets), desc="intervals", unit="set"):
        drawn = source.draw(np.random.default_rng([seed, number]))
        measured.append(measure_intervals(recognizers, drawn, batch_size=training.batch_size, compute=compute))
    table = count_coverage(pd.concat(measured, ignore_index=True))
    size = "" if lines is None else f" --lines {lines}"
    command = f"python -m pipeline intervals {' '.join(found)} --sets {sets}{size} --seed {seed}"
    models = {key: describe_model(experiment) for key, (experiment, _) in found.items()}
    write_table(table, output / "intervals.csv")
    write_text(output / "intervals.md", intervals_page(table, source, attributes, models, command))
    print(f"intervals: see {output / 'intervals.md'}")


def describe_model(experiment: ExperimentSettings) -> str:
    """Its architecture, loss, and own settings of the training."""
    return describe_changes(
        {"model": experiment.model.name, "loss": experiment.loss, "training": dict(experiment.training)}
    )
