"""Train one seed of an experiment as an MLflow run, and write the outputs of all seeds."""

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
from pipeline.tracking.run_description import run_note, run_settings, run_tags, run_variant
from pipeline.tracking.start import start_run
from pipeline.training.callbacks import Row
from pipeline.training.ctc_checks import describe_blanks
from pipeline.training.resume import TrainingProgress
from pipeline.training.train import train


def train_tracked(
    key: str,
    experiment: ExperimentSettings,
    training: TrainingSettings,
    seed: int,
    recognizer_settings: RecognizerSettings,
    lines: tuple[Lines | StreamingLines, Lines],
    progress: TrainingProgress,
) -> None:
    """Train one seed on training and validation `lines`, and track the run. The results stay in `progress`."""
    settings, tags = run_settings(experiment, training, seed), run_tags(experiment, seed)
    variant = run_variant(training, seed)
    name = f"{key} ({variant})" if variant else key
    precision = choose_precision(training.trainer.precision, training.trainer.accelerator)
    print(f"train: {name}: in {precision}", flush=True)
    with start_run(key, settings, tags, run_note(key, experiment, training), progress.run_id, variant) as run:

        def save_run_id() -> None:
            if run.id:  # A store gives none before it answers.
                progress.save_run_id(run.id)

        def on_epoch(epoch: int, row: Row) -> None:
            run.log_epoch(epoch, row)
            save_run_id()

        save_run_id()

        def on_predictions(epoch: int, predictions: list[str]) -> None:
            draw = partial(draw_first_predictions, lines=lines[1], predictions=predictions)
            run.log_drawing("validation_readings", epoch, draw)

        own = training.with_seed(seed)
        result = train(recognizer_settings, own, *lines, on_epoch, progress, on_predictions, load=experiment.load)
        write_text(progress.history, result.history.to_csv(index=False, float_format="%.8g"))
        save_checkpoint(progress.trained_checkpoint, recognizer_settings, result.recognizer)
        run.log_metrics({"training_seconds": round(result.seconds, 1)})
        run.log_model(progress.trained_checkpoint, recognizer_settings.height)
        run.mark_complete(file_md5(progress.trained_checkpoint))
    progress.finish(result.seconds)
    if warning := describe_blanks(result.history):
        print(f"train: {name}: {warning}")
    best = result.history.sort_values("val_loss").iloc[0]
    print(
        f"train: {name}: best of {len(result.history)} epochs was {int(best['epoch'])}: "
        f"validation loss {best['val_loss']:.4f}, CER {best['val_cer']:.2%}"
    )


def write_outputs(key: str, training: TrainingSettings, finished: Mapping[int, TrainingProgress]) -> None:
    """Write history, timing and checkpoints of all seeds. Remove checkpoints of other seeds."""
    histories = {seed: pd.read_csv(progress.history) for seed, progress in finished.items()}
    history = pd.concat(histories, names=["seed"]).reset_index("seed")
    write_text(paths.history(key), history.to_csv(index=False, float_format="%.8g"))
    seconds = {seed: progress.seconds or 0.0 for seed, progress in finished.items()}
    write_timing(key, "train", seconds, choose_precision(training.trainer.precision, training.trainer.accelerator))
    with atomic_path(paths.models(key)) as folder:
        folder.mkdir()
        for seed, progress in finished.items():
            shutil.copyfile(progress.trained_checkpoint, folder / paths.checkpoint(key, seed).name)
        shutil.rmtree(paths.models(key), ignore_errors=True)
