"""Training one experiment: from lines and settings to the best weights and the history of the run."""

import logging
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.tuner.tuning import Tuner
from torch import nn

from pipeline.checkpoint import ReaderSettings, load_checkpoint
from pipeline.data.datamodule import LinesDataModule
from pipeline.data.lines import Lines
from pipeline.errors import InputError
from pipeline.files import project_root
from pipeline.hardware import choose_precision, uses_gpu
from pipeline.objectives.ctc import required_steps
from pipeline.reader import Reader
from pipeline.recognizer import Recognizer
from pipeline.settings.experiment import TrainingSettings

Row = dict[str, float]
OnEpoch = Callable[[int, Row], None]


@dataclass(frozen=True)
class Trained:
    """The reader with its best weights by validation loss, and one row per epoch with all that was logged."""

    reader: Reader
    history: pd.DataFrame


class History(Checkpoint):
    """Collects what was logged in each epoch, and hands it on.

    It is a `Checkpoint` because Lightning runs only those after the module has logged the epoch's rates.
    """

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.rows: list[Row] = []
        self.on_epoch = on_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """One row: epoch (from 0), optimizer steps so far, learning rate, then every logged value."""
        logged = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        row = {"step": float(trainer.global_step), "learning_rate": rate, **logged}
        self.rows.append(row)
        self.on_epoch(trainer.current_epoch, row)


class StopOnNonFinite(pl.Callback):
    """Ends the training at the first step whose loss is not a number, before it spoils the weights."""

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor) -> None:
        """Check the loss; costs a synchronization on a GPU."""
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(
                f"training: the loss is {value} at step {trainer.global_step} of epoch {trainer.current_epoch}; "
                f"lower training.learning_rate or set training.trainer.gradient_clip_val"
            )


def train(
    reader_settings: ReaderSettings,
    training: TrainingSettings,
    train_lines: Lines,
    validation_lines: Lines,
    on_epoch: OnEpoch = lambda epoch, row: None,
) -> Trained:
    """Train a reader and return it with its best weights by validation loss.

    `on_epoch` gets the number of each epoch that ended, and its row of the history.

    Raises:
        InputError: a line does not fit the steps its model makes, the checkpoint to load does not fit,
            or the loss stops being a number.
    """
    quiet_lightning()
    pl.seed_everything(training.seed, verbose=False)
    reader = start_reader(reader_settings, training.load)
    if reader_settings.loss == "ctc":
        require_fitting(reader, [*train_lines.texts, *validation_lines.texts], _widths(train_lines, validation_lines))
    gpu = uses_gpu(training.trainer.accelerator)
    module = Recognizer(reader, make_adam, training.learning_rate, one_cycle=training.one_cycle)
    module.to(memory_format=torch.channels_last)
    data = LinesDataModule(train_lines, validation_lines, training.batch_size, training.seed)
    history = History(on_epoch)
    with tempfile.TemporaryDirectory(prefix="emnist-lines-") as folder:
        best = ModelCheckpoint(folder, monitor="val_loss", save_weights_only=True, filename="best")
        stopping = EarlyStopping("val_loss", patience=training.early_stopping_patience)
        trainer = make_trainer(training, Path(folder), [best, stopping, history, StopOnNonFinite()], gpu=gpu)
        if training.find_learning_rate:
            find_learning_rate(training, module, data, Path(folder))
        trainer.fit(module, datamodule=data)
        weights = torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
    module.cpu().load_state_dict(weights)
    return Trained(reader, pd.DataFrame(history.rows).rename_axis("epoch").reset_index())


def start_reader(settings: ReaderSettings, load: str | None) -> Reader:
    """A fresh reader, or one that starts from the weights of checkpoint `load`.

    Raises:
        InputError: the checkpoint's model is of another shape.
    """
    reader = settings.build()
    if load is None:
        return reader
    path = project_root() / load
    loaded, other = load_checkpoint(path)
    try:
        reader.model.load_state_dict(other.model.state_dict())
    except RuntimeError:
        raise InputError(
            f"training.load: {path} holds a {loaded.model.name} of other sizes than this experiment's "
            f"{settings.model.name}; give both the same model settings"
        ) from None
    return reader


def require_fitting(reader: Reader, texts: Sequence[str], widths: Sequence[int]) -> None:
    """Refuse lines that have fewer steps than CTC needs for their characters and repeats."""
    objective, windows = reader.objective, reader.model.windows
    for text, width, steps in zip(texts, widths, objective.lengths(windows, widths), strict=True):
        needed = required_steps(text, wrap=objective.wrap)
        if steps < needed:
            raise InputError(
                f"experiments: CTC needs {needed} steps for {text!r} and its repeats; the line is {width} pixels wide, "
                f"which makes S = {steps} with windows of {windows.width} every {windows.stride} pixels; "
                f"choose a smaller window_stride"
            )


def make_adam(parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """Adam as the lecture uses it, in PyTorch's fused form."""
    return torch.optim.Adam(parameters, lr=learning_rate, fused=True)


def make_trainer(training: TrainingSettings, folder: Path, callbacks: list[pl.Callback], *, gpu: bool) -> pl.Trainer:
    """Lightning's trainer with the settings passed through; its bar only shows in a terminal.

    The bar is the tqdm one: Lightning's default draws from a thread of its own, which on two cores
    makes every training step wait.
    """
    bar = sys.stderr.isatty()
    passed = training.trainer.model_dump()
    passed["precision"] = choose_precision(training.trainer.precision, training.trainer.accelerator)
    return pl.Trainer(
        **passed,
        max_epochs=training.max_epochs,
        callbacks=[*callbacks, TQDMProgressBar()] if bar else callbacks,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        enable_progress_bar=bar,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        deterministic="warn" if gpu else None,
    )


def find_learning_rate(training: TrainingSettings, module: Recognizer, data: LinesDataModule, folder: Path) -> None:
    """Set the module's learning rate to what Lightning's finder suggests; leaves it where none is found."""
    trainer = make_trainer(training, folder, [], gpu=uses_gpu(training.trainer.accelerator))
    finder = Tuner(trainer).lr_find(module, datamodule=data, update_attr=False)
    suggestion = finder.suggestion() if finder else None
    if suggestion is not None:
        module.learning_rate = suggestion
    print(f"learning rate: {module.learning_rate:.3g} ({'found' if suggestion else 'nothing better found'})")


def quiet_lightning() -> None:
    """Silence advice that does not apply here."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # A batch is one copy of pixels in memory: worker processes would cost more than they give.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")


def _widths(*parts: Lines) -> list[int]:
    return [int(width) for lines in parts for width in lines.widths]
