"""Stage `train`: one experiment's best weights for each seed, and the history of its trainings."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from pipeline.common import paths
from pipeline.common.files import file_md5, project_root
from pipeline.data.loading.streaming import StreamingLines
from pipeline.data.storage.line_store import read_attributes, read_lines
from pipeline.models.checkpoint import RecognizerSettings
from pipeline.runtime.hardware import prepare_cpu
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, read_experiment
from pipeline.training.resume import fingerprint_of, place_of, progress_of
from pipeline.training.tracked import train_tracked, write_outputs
from pipeline.training.train import train
from pipeline.training.trainer import is_main_process

SOURCES = (Path("data/characters.h5"), Path("data/corpus.json"))
"""What endless lines are made of."""


def run(key: str, experiment: ExperimentSettings, training: TrainingSettings) -> None:
    """Train on the experiment's lines, one seed after another; write checkpoints, history and timing."""
    lines = paths.lines(experiment.lines)
    attributes = read_attributes(lines)
    recognizer_settings = RecognizerSettings(
        experiment.model, experiment.loss, attributes["max_length"], attributes["with_start_end_tokens"]
    )
    endless = training.endless
    source = StreamingLines.from_files(*SOURCES, attributes, endless) if endless else read_lines(lines, "train")
    parts = source, read_lines(lines, "validation")
    inputs = [lines, *(SOURCES if endless else []), *([project_root() / training.load] if training.load else [])]
    hashes = [file_md5(path) for path in inputs if path.is_file()]
    decisive = {"key": key, **experiment.model_dump(exclude={"training"})}
    ended = {}
    with ExitStack() as kept:
        for seed in training.seeds:
            fingerprint = fingerprint_of(decisive, training.of_seed(seed), *hashes)
            if is_main_process():
                ended[seed] = kept.enter_context(progress_of(fingerprint))
                if ended[seed].seconds is None:
                    train_tracked(key, experiment, training, seed, recognizer_settings, parts, ended[seed])
            elif (progress := place_of(fingerprint)).seconds is None:
                train(recognizer_settings, training.of_seed(seed), *parts, progress=progress)
        if ended:
            write_outputs(key, training, ended)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `pipeline.command_line`."""
    parser.add_argument("experiment", help="a key of the section `experiments` of params.yaml")
    parser.add_argument("--load", help="checkpoint whose weights to start from; overrides training.load")


def main(experiment: str, load: str | None) -> None:
    """Read the settings and run."""
    overrides = {"load": load} if load else {}
    prepare_cpu()
    run(experiment, *read_experiment(experiment, **overrides))
