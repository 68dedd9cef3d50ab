"""Lightning's trainer and learning-rate finder, set up from the settings."""

import logging
import sys
import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.tuner.tuning import Tuner
from torch import nn

from pipeline.data.loading.datamodule import LinesDataModule
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import choose_precision, uses_gpu
from pipeline.settings.experiment import TrainingSettings
from pipeline.training.cuda_graphs import GraphedRecognizer
from pipeline.training.lit_module import LitRecognizer, MakeOptimizer
from pipeline.training.local_sgd import AverageWeights, LocalSteps


def is_main_process() -> bool:
    """Whether this process keeps the results: Lightning starts the command again for every further device."""
    return getattr(rank_zero_only, "rank", 0) in (0, None)


def make_trainer(training: TrainingSettings, folder: Path, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's trainer with the settings passed through; its bar only shows in a terminal.

    The bar is the tqdm one: Lightning's default draws from a thread of its own, which on two cores
    makes every training step wait.
    """
    bar = [TQDMProgressBar()] if sys.stderr.isatty() else []
    passed = training.trainer.model_dump()
    averaging = []
    if training.local_steps > 1 and (training.trainer.devices, training.trainer.num_nodes) != (1, 1):
        passed["strategy"], averaging = LocalSteps(), [AverageWeights(training.local_steps)]
    if on_gpu := uses_gpu(training.trainer.accelerator):
        # With deterministic algorithms PyTorch fills all memory that it is given with NaN first, a tenth of the time.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    passed["precision"] = choose_precision(training.trainer.precision, training.trainer.accelerator)
    return pl.Trainer(
        **passed,
        max_epochs=training.max_epochs,
        callbacks=[*averaging, *callbacks, *bar],
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        enable_progress_bar=bool(bar),
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        deterministic="warn" if on_gpu else None,
    )


def make_lit_recognizer(recognizer: Recognizer, training: TrainingSettings, learning_rate: float) -> LitRecognizer:
    """The Lightning module that trains the recognizer as the settings say, but for its learning rate."""
    replayed = uses_gpu(training.trainer.accelerator) and training.trainer.accumulate_grad_batches == 1
    return LitRecognizer(
        GraphedRecognizer(recognizer.model, recognizer.objective) if replayed else recognizer,
        optimizer_of(training),
        learning_rate,
        one_cycle=training.one_cycle,
        warm_up=training.warm_up,
        intermediate_weight=training.intermediate_weight,
        label_smoothing=training.label_smoothing,
    )


def find_learning_rate(
    training: TrainingSettings, recognizer: Recognizer, data: LinesDataModule, folder: Path
) -> float:
    """What Lightning's finder suggests, or the settings' own rate where it finds none; the weights stay as they are."""
    # The finder counts steps; as many epochs as they take, and no schedule that would need to know their number.
    endless = training.model_copy(update={"max_epochs": -1, "one_cycle": False})
    trainer = make_trainer(endless, folder, [])
    module = make_lit_recognizer(recognizer, endless, training.learning_rate)
    finder = Tuner(trainer).lr_find(module, datamodule=data, update_attr=False)
    suggestion = finder.suggestion() if finder else None
    if suggestion is None:
        print(f"learning rate: {training.learning_rate:.3g} (nothing better found)")
        return training.learning_rate
    print(f"learning rate: {suggestion:.3g} (found)")
    return suggestion


def make_adam(parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """Adam as the lecture uses it, in PyTorch's fused form."""
    return _clipped_by_lightning(torch.optim.Adam(parameters, lr=learning_rate, fused=True))


def make_adamw(
    parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float = 0.0
) -> torch.optim.Optimizer:
    """AdamW that lets weights decay, but neither biases nor the scales of norms, which are vectors."""
    every = list(parameters)
    groups = [
        {"params": [parameter for parameter in every if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in every if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate, fused=True)
    return _clipped_by_lightning(optimizer)


def _clipped_by_lightning(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The same, as Lightning clips it in mixed precision too: it fears that a fused one unscales gradients itself."""
    optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]
    return optimizer


def optimizer_of(training: TrainingSettings) -> MakeOptimizer:
    """What makes the optimizer that the settings name."""
    if training.optimizer == "adam":
        return make_adam
    return partial(make_adamw, weight_decay=training.weight_decay)


def quiet_lightning() -> None:
    """Silence advice that does not apply here."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # A batch is one copy of pixels in memory: worker processes would cost more than they give.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # Each process draws lines of its own, and counts them itself.
    warnings.filterwarnings("ignore", message="Your `IterableDataset` has `__len__` defined.*")
    # An interrupted training's folder is where it goes on.
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
    # Gradients of the losses are summed in any order on a GPU (README, "GPU").
    warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")
    # Lightning warns of its own use of torch.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated")
