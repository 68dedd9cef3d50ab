"""Settings without effect. They are refused, because whoever sets them expects an effect."""

from collections.abc import Iterator

from pipeline.settings.base import NO_FILE
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings
from pipeline.settings.models import LineCNNLSTMSettings, ModelSettings
from pipeline.settings.sources import SourceSettings

NEEDS = {
    "intermediate_weight": ("intermediate", "a model with intermediate: true"),
    "local_steps": ("devices", "trainer.devices or trainer.num_nodes above 1"),
    "warm_up": ("one_cycle", "one_cycle: true"),
    "weight_decay": ("optimizer", "optimizer: adamw"),
}
"""Keys of `training`, each with the key that turns it on, and what the user must set there."""


def source_problems(name: str, section: SourceSettings) -> Iterator[str]:
    """Check that only the source `archive` has settings of an archive."""
    for key, nothing in (("archive", NO_FILE), ("url", "null"), ("sha256", "null")):
        if section.source != "archive" and getattr(section, key):
            yield (
                f"{name}.{key}: has no effect with source {section.source}; "
                f"set {name}.source to archive, or {name}.{key} to {nothing}"
            )


def experiment_effects(path: str, experiment: ExperimentSettings, training: TrainingSettings) -> Iterator[str]:
    """Check the experiment's own keys; `training` holds its merged settings.

    An experiment that names the key that turns another one off may keep the other one: an ablation changes one key.
    """
    own, model = experiment.training, experiment.model
    named = {*own, *own.get("trainer", {}), *model.model_fields_set}
    for key, (switch, remedy) in NEEDS.items():
        default = TrainingSettings.model_fields[key].default
        if key in own and own[key] != default and switch not in named and not _is_on(key, training, model):
            yield f"{path}.training.{key}: has no effect without {remedy}; set that, or {key} to {default}"
    if own.get("passes_per_epoch", 1) != 1 and training.endless:
        yield (
            f"{path}.training.passes_per_epoch: has no effect on streaming lines; "
            "set endless.lines_per_epoch instead, or passes_per_epoch to 1"
        )
    if "augmentation" in own and training.augmentation and training.endless:
        yield (
            f"{path}.training.augmentation: has no effect on streaming lines; "
            "set endless.variety instead, or augmentation to null"
        )
    if training.frozen and experiment.load is None:
        yield f"{path}.training.frozen: has no effect without {path}.load; set that, or frozen to []"
    if isinstance(model, LineCNNLSTMSettings):
        default = LineCNNLSTMSettings.model_fields["lstm_dropout"].default
        if model.lstm_layers == 1 and model.lstm_dropout not in (0, default):
            yield (
                f"{path}.model.lstm_dropout: has no effect with lstm_layers: 1; "
                f"set lstm_layers to 2 or more, or lstm_dropout to {default}"
            )


def _is_on(key: str, training: TrainingSettings, model: ModelSettings) -> bool:
    """Whether the settings use the key."""
    return {
        "intermediate_weight": getattr(model, "intermediate", False),
        "local_steps": (training.trainer.devices, training.trainer.num_nodes) != (1, 1),
        "warm_up": training.one_cycle,
        "weight_decay": training.optimizer == "adamw",
    }[key]
