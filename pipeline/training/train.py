"""Train one recognizer: from settings and lines to the best weights and the history of the training."""

import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint
from pytorch_lightning.tuner.tuning import Tuner
from pytorch_lightning.utilities.exceptions import SIGTERMException

from pipeline.common.errors import InputError
from pipeline.common.progress import in_terminal
from pipeline.data.loading.datamodule import LinesDataModule
from pipeline.data.loading.line_augmentation import LineAugmentation
from pipeline.data.loading.streaming import StreamingLines
from pipeline.data.storage.lines import Lines
from pipeline.models.checkpoint import RecognizerSettings, load_checkpoint
from pipeline.models.load_matching import load_matching
from pipeline.models.recognizer import Recognizer
from pipeline.settings.experiment import TrainingSettings
from pipeline.training.callbacks import (
    History,
    LimitMemory,
    OnEpoch,
    RandomState,
    SameStart,
    StopEarly,
    StopOnNonFinite,
)
from pipeline.training.ctc_checks import require_fitting
from pipeline.training.epoch_log import EpochLog
from pipeline.training.freezing import freeze
from pipeline.training.lit_module import LitRecognizer
from pipeline.training.resume import TrainingProgress
from pipeline.training.sample_predictions import OnPredictions, SamplePredictions
from pipeline.training.trainer import make_trainer, quiet_lightning


@dataclass(frozen=True)
class TrainingResult:
    """A recognizer with its weights of the lowest validation loss, and the history of its training."""

    recognizer: Recognizer
    history: pd.DataFrame
    """One row per epoch, with all logged values."""
    seconds: float
    """Time of all whole epochs, with those before an interruption, without the search for a learning rate."""


def train(
    recognizer_settings: RecognizerSettings,
    training: TrainingSettings,
    train_lines: Lines | StreamingLines,
    validation_lines: Lines,
    on_epoch: OnEpoch = lambda epoch, row: None,
    progress: TrainingProgress | None = None,
    on_predictions: OnPredictions | None = None,
    load: str | None = None,
) -> TrainingResult:
    """Train a recognizer with the one seed of `training`, from fresh weights or from those of the checkpoint `load`.

    `on_epoch` gets each epoch's number and row of the history. `on_predictions` gets predictions of the first
    validation lines, after the first, a middle and the last epoch. With `progress`, an interrupted training resumes
    after its last whole epoch, and ends with the same weights and history as without the interruption. With several
    devices, only the result of the main process counts.

    Raises:
        InputError: lines are too short for CTC, the checkpoint to load does not fit, or a loss is not finite.
    """
    quiet_lightning()
    (seed,) = training.seeds
    pl.seed_everything(seed, verbose=False)
    recognizer = build_recognizer(recognizer_settings, load)
    freeze(recognizer.model, training.frozen)
    if recognizer_settings.loss == "ctc":
        stored = [lines for lines in (train_lines, validation_lines) if isinstance(lines, Lines)]
        texts = [text for lines in stored for text in lines.texts]
        require_fitting(recognizer, texts, [int(width) for lines in stored for width in lines.widths])
    by_width = recognizer.objective.cut_to_lines
    augmentation = LineAugmentation(training.augmentation) if training.augmentation else None
    data = LinesDataModule(
        train_lines,
        validation_lines,
        training.batch_size,
        seed,
        by_width=by_width,
        augmentation=augmentation,
        passes=training.passes_per_epoch,
    )
    history = History(on_epoch)
    callbacks: list[pl.Callback] = [StopOnNonFinite(progress), LimitMemory(), RandomState(), history]
    if not in_terminal():
        callbacks.append(EpochLog(data.epoch_lines))
    if on_predictions:
        callbacks.insert(0, SamplePredictions(validation_lines, training.max_epochs, on_predictions))
    with tempfile.TemporaryDirectory(prefix="emnist-lines-") as temporary:
        progress = progress or TrainingProgress(Path(temporary))
        learning_rate = training.learning_rate
        if training.find_learning_rate and not progress.last_checkpoint.exists():
            learning_rate = find_learning_rate(training, recognizer, data, Path(temporary))
        fit(LitRecognizer(recognizer, training, learning_rate), training, data, progress, callbacks)
    return TrainingResult(recognizer, pd.DataFrame(history.rows).rename_axis("epoch").reset_index(), history.seconds)


def fit(
    module: LitRecognizer,
    training: TrainingSettings,
    data: LinesDataModule,
    progress: TrainingProgress,
    callbacks: list[pl.Callback],
) -> None:
    """Run Lightning's trainer, and leave the best weights in `module`, on the CPU."""
    module.to(memory_format=torch.channels_last)
    averaging = [] if training.average_decay is None else [EMAWeightAveraging(decay=training.average_decay)]
    best = ModelCheckpoint(
        progress.folder,
        monitor="val_loss",
        save_weights_only=not averaging,  # weights alone would be the trained ones, not their average
        filename="best",
        enable_version_counter=False,
    )
    early_stopping = StopEarly("val_loss", patience=training.early_stopping_patience)
    # Comes last, to save the states of all others. Lightning writes the file atomically.
    last = ModelCheckpoint(progress.folder, filename=progress.last_checkpoint.stem, enable_version_counter=False)
    resume_from = progress.last_checkpoint if progress.last_checkpoint.exists() else None
    same_start = SameStart(training.seeds[0], resumes=resume_from is not None)
    trainer = make_trainer(training, progress.folder, [same_start, *averaging, best, early_stopping, *callbacks, last])
    try:
        trainer.fit(module, datamodule=data, ckpt_path=resume_from, weights_only=True)
    except SIGTERMException:
        raise SystemExit(128 + signal.SIGTERM) from None  # its own exit status would be 0
    module.cpu()
    if trainer.is_global_zero:
        weights = torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
        module.load_state_dict(weights)


def build_recognizer(settings: RecognizerSettings, load: str | None) -> Recognizer:
    """Build a recognizer with fresh weights, or with the weights of the checkpoint `load`.

    Raises:
        InputError: the checkpoint's model has other sizes.
    """
    recognizer = settings.build()
    if load is None:
        return recognizer
    loaded_settings, loaded = load_checkpoint(Path(load))
    try:
        load_matching(recognizer, loaded)
    except ValueError as error:
        raise InputError(
            f"load: {load} holds a {loaded_settings.model.name} of other sizes than this experiment's "
            f"{settings.model.name} ({error}); give both the same model settings"
        ) from None
    return recognizer


def find_learning_rate(
    training: TrainingSettings, recognizer: Recognizer, data: LinesDataModule, folder: Path
) -> float:
    """Run Lightning's learning-rate finder. It may find none: then return the settings' own. The weights stay."""
    # The finder trains for a number of steps, however many epochs they take. A schedule would need the number of all.
    unlimited = training.model_copy(update={"max_epochs": -1, "one_cycle": False})
    trainer = make_trainer(unlimited, folder, [])
    module = LitRecognizer(recognizer, unlimited, training.learning_rate)
    finder = Tuner(trainer).lr_find(module, datamodule=data, update_attr=False)
    suggestion = finder.suggestion() if finder else None
    if suggestion is None:
        print(f"learning rate: {training.learning_rate:.3g} (nothing better found)")
        return training.learning_rate
    print(f"learning rate: {suggestion:.3g} (found)")
    return suggestion
