"""Stage `train`: one experiment's best weights for each seed, and the history of its trainings."""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pandas as pd

from pipeline import paths
from pipeline.checkpoint import ReaderSettings, save_checkpoint
from pipeline.data.endless import EndlessLines
from pipeline.data.line_store import read_attributes, read_lines
from pipeline.data.lines import Lines
from pipeline.errors import exit_on_input_error
from pipeline.experiment_record import note_of, settings_of, tags_of, variant_of
from pipeline.files import atomic_path, md5_of, project_root, write_text
from pipeline.hardware import choose_precision, prepare_cpu
from pipeline.progress import Progress, fingerprint_of, place_of, progress_of
from pipeline.report.readings import draw_readings
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, read_experiment
from pipeline.timings import write_timing
from pipeline.tracking import start_run
from pipeline.trainer import is_main_process
from pipeline.training import describe_blanks, train

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


def train_tracked(
    key: str,
    experiment: ExperimentSettings,
    training: TrainingSettings,
    seed: int,
    reader_settings: ReaderSettings,
    parts: tuple[Lines | EndlessLines, Lines],
    progress: Progress,
) -> None:
    """Train with one seed, and track the run; the checkpoint and the history stay in `progress`."""
    settings, tags = settings_of(experiment, training, seed), tags_of(experiment, seed)
    variant = variant_of(training, seed)
    with start_run(key, settings, tags, note_of(key, experiment, training), progress.run_id, variant) as tracked:
        progress.keep_run(tracked.id)

        def on_readings(epoch: int, readings: list[str]) -> None:
            draw = partial(draw_samples, lines=parts[1], readings=readings)
            tracked.draw_picture("validation_readings", epoch, draw)

        trained = train(reader_settings, training.of_seed(seed), *parts, tracked.log_epoch, progress, on_readings)
        write_text(progress.history, trained.history.to_csv(index=False, float_format="%.8g"))
        save_checkpoint(progress.checkpoint, reader_settings, trained.reader)
        tracked.log_metrics({"training_seconds": round(trained.seconds, 1)})
        tracked.log_model(progress.checkpoint)
        tracked.finish(md5_of(progress.checkpoint))
    progress.finish(trained.seconds)
    named = f"{key} ({variant})" if variant else key
    if warning := describe_blanks(trained.history):
        print(f"train: {named}: {warning}")
    best = trained.history.sort_values("val_loss").iloc[0]
    print(
        f"train: {named}: best of {len(trained.history)} epochs was {int(best['epoch'])}: "
        f"validation loss {best['val_loss']:.4f}, CER {best['val_cer']:.2%}"
    )


def write_outputs(key: str, training: TrainingSettings, ended: Mapping[int, Progress]) -> None:
    """Write what the trainings with all seeds have made, and nothing of other seeds."""
    histories = {seed: pd.read_csv(progress.history) for seed, progress in ended.items()}
    history = pd.concat(histories, names=["seed"]).reset_index("seed")
    write_text(paths.history(key), history.to_csv(index=False, float_format="%.8g"))
    seconds = {seed: progress.seconds or 0.0 for seed, progress in ended.items()}
    write_timing(key, "train", seconds, choose_precision(training.trainer.precision, training.trainer.accelerator))
    with atomic_path(paths.models(key)) as folder:
        folder.mkdir()
        for seed, progress in ended.items():
            shutil.copyfile(progress.checkpoint, folder / paths.checkpoint(key, seed).name)
        shutil.rmtree(paths.models(key), ignore_errors=True)


def draw_samples(path: Path, lines: Lines, readings: Sequence[str]) -> None:
    """Draw the first lines with what they are read as."""
    shown = range(len(readings))
    images = [lines.images[index, :, : lines.widths[index]] for index in shown]
    draw_readings(path, images, [lines.texts[index] for index in shown], [[("reading", text)] for text in readings])


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
