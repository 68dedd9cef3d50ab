"""Stage `train`: one experiment's best weights for each seed, and the history of its trainings."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from pipeline.common import paths
from pipeline.common.files import file_md5
from pipeline.data.loading.streaming import StreamingLines
from pipeline.data.storage.line_store import read_attributes, read_height, read_lines, read_vocabulary
from pipeline.models.checkpoint import RecognizerSettings
from pipeline.runtime.hardware import prepare_cpu
from pipeline.settings.experiment import read_experiment
from pipeline.training.resume import find_progress, make_fingerprint, open_progress
from pipeline.training.tracked import train_tracked, write_outputs
from pipeline.training.train import train
from pipeline.training.trainer import is_main_process

SOURCES = (Path("data/characters.h5"), Path("data/corpus.json"))
"""Characters and text of streaming lines."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("key", metavar="experiment", help="a key of the section `experiments` of params.yaml")
    parser.add_argument("--load", help="checkpoint whose weights to start from; overrides the experiment's own")


def main(key: str, load: str | None) -> None:
    """Train on the experiment's lines, one seed after another; write checkpoints, history and timing."""
    prepare_cpu()
    experiment, training = read_experiment(key)
    if load:
        experiment = experiment.model_copy(update={"load": load})
    lines = paths.lines(experiment.lines)
    attributes = read_attributes(lines)
    recognizer_settings = RecognizerSettings(
        experiment.model,
        experiment.loss,
        read_vocabulary(lines),
        attributes["max_length"],
        attributes["with_start_end_tokens"],
        read_height(lines),
    )
    streaming = training.endless
    source = StreamingLines.from_files(*SOURCES, attributes, streaming) if streaming else read_lines(lines, "train")
    parts = source, read_lines(lines, "validation")
    inputs = [lines, *(SOURCES if streaming else []), *([Path(experiment.load)] if experiment.load else [])]
    hashes = [file_md5(path) for path in inputs if path.is_file()]
    identity = {"key": key, **experiment.model_dump(exclude={"training"})}
    progresses = {}
    with ExitStack() as stack:
        for seed in training.seeds:
            fingerprint = make_fingerprint(identity, training.with_seed(seed), *hashes)
            if is_main_process():
                progresses[seed] = stack.enter_context(open_progress(fingerprint))
                if progresses[seed].seconds is None:
                    train_tracked(key, experiment, training, seed, recognizer_settings, parts, progresses[seed])
            elif (progress := find_progress(fingerprint)).seconds is None:
                train(recognizer_settings, training.with_seed(seed), *parts, progress=progress, load=experiment.load)
        if progresses:
            write_outputs(key, training, progresses)
