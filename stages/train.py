"""Stage `train`: one experiment's best weights for each seed, and the history of its trainings."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from pipeline import paths
from pipeline.checkpoint import ReaderSettings
from pipeline.data.endless import EndlessLines
from pipeline.data.line_store import read_attributes, read_lines
from pipeline.errors import exit_on_input_error
from pipeline.files import md5_of, project_root
from pipeline.hardware import prepare_cpu
from pipeline.progress import fingerprint_of, place_of, progress_of
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, read_experiment
from pipeline.tracked_training import train_tracked, write_outputs
from pipeline.trainer import is_main_process
from pipeline.training import train

SOURCES = (Path("data/characters.h5"), Path("data/corpus.json"))
"""What endless lines are made of."""


def run(key: str, experiment: ExperimentSettings, training: TrainingSettings) -> None:
    """Train on the experiment's lines, one seed after another; write checkpoints, history and timing."""
    lines = paths.lines(experiment.lines)
    attributes = read_attributes(lines)
    reader_settings = ReaderSettings(
        experiment.model, experiment.loss, attributes["max_length"], attributes["with_start_end_tokens"]
    )
    endless = training.endless
    source = EndlessLines.from_files(*SOURCES, attributes, endless) if endless else read_lines(lines, "train")
    parts = source, read_lines(lines, "validation")
    inputs = [lines, *(SOURCES if endless else []), *([project_root() / training.load] if training.load else [])]
    hashes = [md5_of(path) for path in inputs if path.is_file()]
    decisive = {"key": key, **experiment.model_dump(exclude={"training"})}
    ended = {}
    with ExitStack() as kept:
        for seed in training.seeds:
            fingerprint = fingerprint_of(decisive, training.of_seed(seed), *hashes)
            if is_main_process():
                ended[seed] = kept.enter_context(progress_of(fingerprint))
                if ended[seed].seconds is None:
                    train_tracked(key, experiment, training, seed, reader_settings, parts, ended[seed])
            elif (progress := place_of(fingerprint)).seconds is None:
                train(reader_settings, training.of_seed(seed), *parts, progress=progress)
        if ended:
            write_outputs(key, training, ended)


def main() -> None:
    """Parse the command line, read the settings and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="a key of the section `experiments` of params.yaml")
    parser.add_argument("--load", help="checkpoint whose weights to start from; overrides training.load")
    arguments = parser.parse_args()
    key = arguments.experiment
    experiment, training = read_experiment(key, **({"load": arguments.load} if arguments.load else {}))
    prepare_cpu()
    run(key, experiment, training)


if __name__ == "__main__":
    exit_on_input_error(main)
