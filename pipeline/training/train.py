"""Training one experiment: from lines and settings to the best weights and the history of the run."""

import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint
from pytorch_lightning.utilities.exceptions import SIGTERMException

from pipeline.common.errors import InputError
from pipeline.common.files import project_root
from pipeline.data.loading.datamodule import LinesDataModule
from pipeline.data.loading.streaming import StreamingLines
from pipeline.data.storage.lines import Lines
from pipeline.models.checkpoint import RecognizerSettings, load_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.objectives.ctc import required_steps
from pipeline.settings.experiment import TrainingSettings
from pipeline.training.callbacks import History, LimitMemory, OnEpoch, RandomState, StopEarly, StopOnNonFinite
from pipeline.training.lit_module import LitRecognizer
from pipeline.training.resume import Progress
from pipeline.training.sample_predictions import OnPredictions, SamplePredictions
from pipeline.training.trainer import (
    find_learning_rate,
    is_main_process,
    make_lit_recognizer,
    make_trainer,
    quiet_lightning,
)

ONLY_BLANKS = 0.999
"""Share of blank steps from which a CTC model counts as reading nothing."""
USUAL_PLATEAU = 400
"""Steps after which a CTC model has left the early plateau of blanks: the shipped ones do within 80 to 160."""
MAX_CROWDED = 0.01
"""Share of the lines that CTC need not fit."""


@dataclass(frozen=True)
class Trained:
    """The recognizer with its best weights by validation loss, and one row per epoch with all that was logged."""

    recognizer: Recognizer
    history: pd.DataFrame
    seconds: float
    """Of all whole epochs, those before an interruption too; not of the search for a learning rate."""


def train(
    recognizer_settings: RecognizerSettings,
    training: TrainingSettings,
    train_lines: Lines | StreamingLines,
    validation_lines: Lines,
    on_epoch: OnEpoch = lambda epoch, row: None,
    progress: Progress | None = None,
    on_predictions: OnPredictions | None = None,
) -> Trained:
    """Train a recognizer for the one seed of `training` and return it with its best weights by validation loss.

    `on_epoch` gets the number of each epoch that ended, and its row of the history. With several
    devices, the result is that of the main process alone. With `progress`, an interrupted training
    goes on after its last whole epoch and ends with the same weights and history. `on_predictions` gets what
    the first validation lines are read as after the first, a middle and the last epoch.

    Raises:
        InputError: a line does not fit the steps its model makes, the checkpoint to load does not fit,
            or the loss stops being a number.
    """
    quiet_lightning()
    (seed,) = training.seeds
    pl.seed_everything(seed, verbose=False)
    recognizer = initial_recognizer(recognizer_settings, training.load)
    if recognizer_settings.loss == "ctc":
        parts = [part for part in (train_lines, validation_lines) if isinstance(part, Lines)]
        require_fitting(recognizer, [text for part in parts for text in part.texts], _widths(*parts))
    data = LinesDataModule(
        train_lines, validation_lines, training.batch_size, seed, by_width=recognizer.objective.cut_to_lines
    )
    with tempfile.TemporaryDirectory(prefix="emnist-lines-") as temporary:
        kept = progress.last if progress else None
        progress = progress or Progress(Path(temporary))
        rate = training.learning_rate
        if training.find_learning_rate and not progress.last.exists():
            rate = find_learning_rate(training, recognizer, data, Path(temporary))
        module = make_lit_recognizer(recognizer, training, rate)
        samples = [SamplePredictions(validation_lines, training.max_epochs, on_predictions)] if on_predictions else []
        return _fit(module, training, data, progress, History(on_epoch), [*samples, StopOnNonFinite(kept)])


def _fit(
    module: LitRecognizer,
    training: TrainingSettings,
    data: LinesDataModule,
    progress: Progress,
    history: History,
    further: list[pl.Callback],
) -> Trained:
    module.to(memory_format=torch.channels_last)
    averaging = [] if training.average_decay is None else [EMAWeightAveraging(decay=training.average_decay)]
    best = ModelCheckpoint(
        progress.folder,
        monitor="val_loss",
        save_weights_only=not averaging,  # which would be those that are trained, not their average
        filename="best",
        enable_version_counter=False,
    )
    # After `history`, whose rows it keeps; Lightning writes the file beside and renames it.
    last = ModelCheckpoint(progress.folder, filename=progress.last.stem, enable_version_counter=False)
    stopping = StopEarly("val_loss", patience=training.early_stopping_patience)
    callbacks = [*averaging, best, stopping, *further, LimitMemory(), RandomState(), history, last]
    trainer = make_trainer(training, progress.folder, callbacks)
    start = progress.last if progress.last.exists() else None
    try:
        trainer.fit(module, datamodule=data, ckpt_path=start, weights_only=True)
    except SIGTERMException:
        raise SystemExit(128 + signal.SIGTERM) from None  # by itself it would end as if all were well
    module.cpu()
    if is_main_process():
        weights = torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
        module.load_state_dict(weights)
    recognizer = Recognizer(module.recognizer.model, module.recognizer.objective)  # without what is kept for training
    return Trained(recognizer, pd.DataFrame(history.rows).rename_axis("epoch").reset_index(), history.seconds)


def initial_recognizer(settings: RecognizerSettings, load: str | None) -> Recognizer:
    """A fresh recognizer, or one that starts from the weights of checkpoint `load`.

    Raises:
        InputError: the checkpoint's model is of another shape.
    """
    recognizer = settings.build()
    if load is None:
        return recognizer
    path = project_root() / load
    loaded, other = load_checkpoint(path)
    try:
        recognizer.model.load_state_dict(other.model.state_dict())
    except RuntimeError:
        raise InputError(
            f"training.load: {path} holds a {loaded.model.name} of other sizes than this experiment's "
            f"{settings.model.name}; give both the same model settings"
        ) from None
    return recognizer


def require_fitting(recognizer: Recognizer, texts: Sequence[str], widths: Sequence[int]) -> None:
    """Refuse lines of which more than a few have fewer steps than CTC needs for their characters and repeats.

    Running text has a "400000" now and then that no stride suits: the loss counts such a line as 0,
    and it is named here.
    """
    objective, windows = recognizer.objective, recognizer.model.windows
    steps = objective.lengths(windows, widths)
    needed = [required_steps(text, wrap=objective.wrap) for text in texts]
    crowded = [line for line in range(len(texts)) if steps[line] < needed[line]]
    if not crowded:
        return
    line = crowded[0]
    example = (
        f"{texts[line]!r} and its repeats need {needed[line]} steps; it is {widths[line]} pixels wide, which makes "
        f"S = {steps[line]} with windows of {windows.width} every {windows.stride} pixels"
    )
    if len(crowded) > MAX_CROWDED * len(texts):
        raise InputError(
            f"experiments: CTC cannot fit {len(crowded):,} of {len(texts):,} lines: {example}; "
            f"choose a smaller window_stride"
        )
    print(f"train: {len(crowded):,} of {len(texts):,} lines teach nothing, as CTC cannot fit them: {example}")


def describe_blanks(history: pd.DataFrame) -> str | None:
    """One line if the model with the least validation loss reads only blanks, and whether that is usual so far."""
    best = history.sort_values("val_loss").iloc[0]
    if best.get("val_blank_share", 0.0) < ONLY_BLANKS:
        return None
    steps = int(history["step"].iloc[-1])
    usual = (
        f"usual up to about {USUAL_PLATEAU} steps at batches of 128: give it more epochs or a smaller batch_size"
        if steps < USUAL_PLATEAU
        else f"it is usual only up to about {USUAL_PLATEAU} steps: another learning_rate or seed may help"
    )
    return f"the model predicts only blanks after {steps} steps; {usual}"


def _widths(*parts: Lines) -> list[int]:
    return [int(width) for lines in parts for width in lines.widths]
