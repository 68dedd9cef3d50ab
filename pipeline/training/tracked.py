"""One experiment's training with one seed as a tracked run, and what the stage `train` keeps of all seeds."""

import shutil
from collections.abc import Mapping
from functools import partial

import pandas as pd

from pipeline.common import paths
from pipeline.common.files import atomic_path, file_md5, write_text
from pipeline.data.loading.streaming import StreamingLines
from pipeline.data.storage.lines import Lines
from pipeline.models.checkpoint import RecognizerSettings, save_checkpoint
from pipeline.plots.predictions import draw_first_predictions
from pipeline.runtime.hardware import choose_precision
from pipeline.runtime.timings import write_timing
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings
from pipeline.tracking.records import note_of, settings_of, tags_of, variant_of
from pipeline.tracking.run import start_run
from pipeline.training.resume import Progress
from pipeline.training.train import describe_blanks, train


def train_tracked(
    key: str,
    experiment: ExperimentSettings,
    training: TrainingSettings,
    seed: int,
    recognizer_settings: RecognizerSettings,
    parts: tuple[Lines | StreamingLines, Lines],
    progress: Progress,
) -> None:
    """Train with one seed, and track the run; the checkpoint and the history stay in `progress`."""
    settings, tags = settings_of(experiment, training, seed), tags_of(experiment, seed)
    variant = variant_of(training, seed)
    named = f"{key} ({variant})" if variant else key
    precision = choose_precision(training.trainer.precision, training.trainer.accelerator)
    print(f"train: {named}: in {precision}", flush=True)
    with start_run(key, settings, tags, note_of(key, experiment, training), progress.run_id, variant) as tracked:
        progress.keep_run(tracked.id)

        def on_predictions(epoch: int, readings: list[str]) -> None:
            draw = partial(draw_first_predictions, lines=parts[1], readings=readings)
            tracked.draw_picture("validation_readings", epoch, draw)

        trained = train(
            recognizer_settings, training.of_seed(seed), *parts, tracked.log_epoch, progress, on_predictions
        )
        write_text(progress.history, trained.history.to_csv(index=False, float_format="%.8g"))
        save_checkpoint(progress.checkpoint, recognizer_settings, trained.recognizer)
        tracked.log_metrics({"training_seconds": round(trained.seconds, 1)})
        tracked.log_model(progress.checkpoint)
        tracked.finish(file_md5(progress.checkpoint))
    progress.finish(trained.seconds)
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
