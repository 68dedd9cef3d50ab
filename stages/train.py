"""Stage `train`: one experiment's best weights and the history of its training."""

import argparse
from pathlib import Path

from pipeline import paths
from pipeline.checkpoint import ReaderSettings, save_checkpoint
from pipeline.data.endless import EndlessLines
from pipeline.data.line_store import read_attributes, read_lines
from pipeline.errors import exit_on_input_error
from pipeline.experiment_record import note_of, settings_of, tags_of
from pipeline.files import md5_of, project_root, write_text
from pipeline.hardware import prepare_cpu
from pipeline.progress import fingerprint_of, place_of, progress_of
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, read_experiment
from pipeline.tracking import start_run
from pipeline.trainer import is_main_process
from pipeline.training import train

SOURCES = (Path("data/characters.h5"), Path("data/corpus.json"))
"""What endless lines are made of."""


def run(key: str, experiment: ExperimentSettings, training: TrainingSettings) -> None:
    """Train on the experiment's lines; write the checkpoint and the history, and track the run."""
    lines, checkpoint = paths.lines(experiment.lines), paths.checkpoint(key)
    attributes = read_attributes(lines)
    reader_settings = ReaderSettings(
        experiment.model, experiment.loss, attributes["max_length"], attributes["with_start_end_tokens"]
    )
    endless = training.endless
    source = EndlessLines.from_files(*SOURCES, attributes, endless) if endless else read_lines(lines, "train")
    parts = source, read_lines(lines, "validation")
    settings, tags = settings_of(experiment, training), tags_of(experiment)
    inputs = [lines, *(SOURCES if endless else []), *([project_root() / training.load] if training.load else [])]
    hashes = [md5_of(path) for path in inputs if path.exists()]
    fingerprint = fingerprint_of({"key": key, **settings}, training, *hashes)
    if not is_main_process():
        train(reader_settings, training, *parts, progress=place_of(fingerprint))
        return
    with (
        progress_of(fingerprint) as progress,
        start_run(key, settings, tags, note_of(key, experiment, training), progress.run_id) as tracked,
    ):
        progress.keep_run(tracked.id)
        trained = train(reader_settings, training, *parts, tracked.log_epoch, progress)
        write_text(paths.history(key), trained.history.to_csv(index=False, float_format="%.8g"))
        save_checkpoint(checkpoint, reader_settings, trained.reader)
        tracked.log_model(checkpoint)
        tracked.finish(md5_of(checkpoint))
    best = trained.history.sort_values("val_loss").iloc[0]
    print(
        f"train: {key}: best of {len(trained.history)} epochs was {int(best['epoch'])}: "
        f"validation loss {best['val_loss']:.4f}, CER {best['val_cer']:.2%}"
    )


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
