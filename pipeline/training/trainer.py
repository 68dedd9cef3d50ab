"""Lightning's trainer, set up from the settings."""

import logging
import os
import warnings
from pathlib import Path

import pytorch_lightning as pl
import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar

from pipeline.common.progress import in_terminal
from pipeline.runtime.hardware import choose_precision, uses_gpu
from pipeline.settings.experiment import TrainingSettings
from pipeline.training.local_sgd import AverageWeights, LocalSGDStrategy


def is_main_process() -> bool:
    """Whether this process keeps the results.

    Lightning starts the same command again for each further device; further nodes are started by hand or by a launcher.
    """
    # Lightning's own start sets NODE_RANK alone, torchrun all.
    node = os.environ.get("NODE_RANK") or os.environ.get("GROUP_RANK") or "0"
    return getattr(rank_zero_only, "rank", 0) in (0, None) and node == "0"


def make_trainer(training: TrainingSettings, folder: Path, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Make Lightning's trainer with the settings of `training.trainer`."""
    options = training.trainer.model_dump()
    callbacks = list(callbacks)
    if training.local_steps > 1 and (training.trainer.devices, training.trainer.num_nodes) != (1, 1):
        options["strategy"] = LocalSGDStrategy()
        callbacks.insert(0, AverageWeights(training.local_steps))
    if with_bar := in_terminal():
        # Lightning's default bar draws from a second thread. On two cores every training step waits for it.
        callbacks.append(TQDMProgressBar())
    if on_gpu := uses_gpu(training.trainer.accelerator):
        # With deterministic algorithms PyTorch fills new memory with NaN, which takes a tenth of the time.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    options["precision"] = choose_precision(training.trainer.precision, training.trainer.accelerator)
    return pl.Trainer(
        **options,
        max_epochs=training.max_epochs,
        callbacks=callbacks,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        enable_progress_bar=with_bar,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        deterministic="warn" if on_gpu else None,
    )


def quiet_lightning() -> None:
    """Silence Lightning's messages that do not apply here."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # Batches are copied from memory. Worker processes would cost more than they save.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # Streaming lines are split among the processes by this project.
    warnings.filterwarnings("ignore", message="Your `IterableDataset` has `__len__` defined.*")
    # The folder of an interrupted training holds its checkpoint.
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
    # Some losses have gradients that a GPU sums in any order (docs/gpu.md).
    warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")
    # A machine of a Slurm cluster can train by itself, too.
    warnings.filterwarnings("ignore", message="The `srun` command is available.*")
    # Lightning itself uses a deprecated part of PyTorch.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated")
