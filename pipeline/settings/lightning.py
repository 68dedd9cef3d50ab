"""Settings of Lightning's trainer that it refuses on this machine, found before any data is made."""

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.settings.messages import one_line
from pipeline.settings.project import ProjectSettings, experiment_training

SAFE = {
    "accelerator": ("auto", "cpu"),
    "devices": (1,),
    "num_nodes": (1,),
    "strategy": ("auto",),
    "precision": ("auto", "32-true", "bf16-mixed"),
}
"""What Lightning takes on every machine. Only other values are worth the seconds of its import."""
CHILD_PROCESSES = re.compile("spawn|fork|notebook")
"""Strategies that train in child processes, where this project's results would be lost."""


def trainer_problems(project: ProjectSettings) -> Iterator[str]:
    """Ask Lightning about each distinct set of merged trainer settings."""
    shared = project.training.trainer.model_dump(include=set(SAFE))
    judged: list[dict[str, Any]] = []
    for key in project.experiments:
        options = experiment_training(key, project).trainer.model_dump(include=set(SAFE))
        if options in judged or all(options[name] in values for name, values in SAFE.items()):
            continue
        judged.append(options)
        path = "training.trainer" if options == shared else f"experiments.{key}.training.trainer"
        if CHILD_PROCESSES.search(options["strategy"]):
            yield f"{path}.strategy: {one_line(options['strategy'])} loses the results of its child processes; use ddp"
        elif refusal := ask_lightning(options):
            yield f"{path}: Lightning refuses these settings: {refusal}"


def ask_lightning(options: Mapping[str, Any]) -> str | None:
    """Make a trainer, which starts no process; return why Lightning refuses the options, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pytorch_lightning as pl

        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        precision = "32-true" if options["precision"] == "auto" else options["precision"]
        try:
            pl.Trainer(**{**options, "precision": precision}, logger=False, enable_checkpointing=False)
        # Lightning has an exception of its own, and lets those of strategies and of missing packages through.
        except Exception as error:
            return one_line(str(error)) or type(error).__name__
    return None
