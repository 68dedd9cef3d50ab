"""Settings without effect. They are refused, because whoever sets them expects an effect."""

from collections.abc import Iterator, Sequence

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
SHARED = ("local_steps", "warm_up", "weight_decay")
"""The keys that the shared `training` block turns on by itself; a model turns on the other one."""


def source_problems(name: str, section: SourceSettings) -> Iterator[str]:
    """Check that only the source `archive` has settings of an archive."""
    for key in ("archive", "sha256"):
        if section.source != "archive" and getattr(section, key, None):
            yield (
                f"{name}.{key}: has no effect with source {section.source}; "
                f"set {name}.source to archive, or {name}.{key} to null"
            )


def experiment_effects(path: str, experiment: ExperimentSettings, training: TrainingSettings) -> Iterator[str]:
    """Check the experiment's own keys; `training` holds its merged settings.

    An experiment that names the key that turns another one off may keep the other one: an ablation changes one key.
    """
    own, model = experiment.training, experiment.model
    named = {*own, *own.get("trainer", {}), *model.model_fields_set}
    for key, (switch, _) in NEEDS.items():
        if key in own and switch not in named and not _has_effect(key, training, model):
            yield _describe(f"{path}.training", key)
    if isinstance(model, LineCNNLSTMSettings):
        default = LineCNNLSTMSettings.model_fields["lstm_dropout"].default
        if model.lstm_layers == 1 and model.lstm_dropout not in (0, default):
            yield (
                f"{path}.model.lstm_dropout: has no effect with lstm_layers: 1; "
                f"set lstm_layers to 2 or more, or lstm_dropout to {default}"
            )


def shared_effects(trained: Sequence[tuple[ExperimentSettings, TrainingSettings]]) -> Iterator[str]:
    """Check that each key of the shared `training` block has an effect on one of the experiments that inherit it."""
    for key in SHARED:
        inheriting = [
            (training, experiment.model) for experiment, training in trained if key not in experiment.training
        ]
        if inheriting and not any(_has_effect(key, *settings) for settings in inheriting):
            yield _describe("training", key)


def _has_effect(key: str, training: TrainingSettings, model: ModelSettings) -> bool:
    """Whether the key has an effect, or its default value, from which nobody expects one."""
    turned_on = {
        "intermediate_weight": getattr(model, "intermediate", False),
        "local_steps": (training.trainer.devices, training.trainer.num_nodes) != (1, 1),
        "warm_up": training.one_cycle,
        "weight_decay": training.optimizer == "adamw",
    }
    return turned_on[key] or getattr(training, key) == _default(key)


def _default(key: str) -> object:
    return TrainingSettings.model_fields[key].default


def _describe(path: str, key: str) -> str:
    return f"{path}.{key}: has no effect without {NEEDS[key][1]}; set that, or {key} to {_default(key)}"
