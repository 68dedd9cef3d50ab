"""What is trained and how: the sections `experiments` and `training` of `params.yaml`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.settings.augmentation import StreamingSettings
from pipeline.settings.base import Seed, Settings, read_params, read_section, validate
from pipeline.settings.models import ModelSettings

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Probability = Annotated[float, Field(ge=0, lt=1)]
MOST_SEEDS = 32
LOCAL_STRATEGIES = ("auto", "ddp")
"""Of Lightning's strategies, those that `training.local_steps` takes the place of."""


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("must name each seed once")
    return seeds


Seeds = Annotated[list[Seed], Field(min_length=1, max_length=MOST_SEEDS), AfterValidator(_distinct)]


Loss = Literal["ce", "ctc"]
"""Every loss that can be named; a new one is added here and in `pipeline/objectives/registry.py`."""


class TrainerSettings(Settings):
    """Settings of Lightning's `Trainer` that are passed through as they are."""

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"]
    """Where to train."""
    devices: int | Literal["auto"] | list[int]
    """How many devices, or which."""
    num_nodes: Annotated[int, Field(ge=1, le=100_000)]
    """Machines."""
    strategy: str
    """How devices share the work, such as `auto` or `ddp`."""
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed", "bf16-true"]
    """Arithmetic; `auto` takes bf16-mixed where bf16 is native and, on a CPU, no slower than fp32; else 32-true."""
    gradient_clip_val: Annotated[float, Field(gt=0)] | None
    """Largest gradient norm, or null."""
    accumulate_grad_batches: Count
    """Batches per optimizer step."""


class TrainingSettings(Settings):
    """How a model is trained; an experiment's own `training` block overrides single keys."""

    seeds: Seeds
    """Seeds of weights, batches and dropout; a model is trained for each, and results are means over them."""
    max_epochs: Count
    """Passes over the training lines; where they are endless, over `endless.lines_per_epoch`."""
    batch_size: Count
    """Lines per batch and device."""
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    """The optimizer's learning rate; the peak where `one_cycle` is on."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """`adam`: the lecture's; `adamw`: with decoupled weight decay."""
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """AdamW's weight decay, of all but biases and norms."""
    find_learning_rate: bool
    """Let Lightning's learning-rate finder replace `learning_rate` first."""
    one_cycle: bool
    """Raise and lower the learning rate over the whole training (OneCycleLR)."""
    warm_up: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of the training in which `one_cycle` raises the learning rate."""
    average_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Validate and keep an exponential moving average of the weights, which keeps this share at each step, or null."""
    local_steps: Count = 1
    """Steps that each of several devices takes by itself before their weights are averaged, or 1: gradients are."""
    intermediate_weight: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of the loss that intermediate logits have; only for models with `intermediate`."""
    early_stopping_patience: Count
    """Epochs without a better validation loss after which training stops."""
    label_smoothing: Probability = 0.0
    """Share of the training's loss that asks for all classes alike, so that no model becomes too sure."""
    load: str | None
    """Checkpoint (path from the project's root) whose weights training starts from, or null."""
    endless: StreamingSettings | None = None
    """Synthesize training lines as they are needed, or null: those of the data set, again in each epoch."""
    trainer: TrainerSettings
    """Lightning's own."""

    @model_validator(mode="after")
    def _check_local_steps(self) -> Self:
        if self.local_steps > 1 and self.trainer.strategy not in LOCAL_STRATEGIES:
            raise ValueError(
                f"local_steps: {self.local_steps} needs trainer.strategy {' or '.join(LOCAL_STRATEGIES)}, "
                f"not {self.trainer.strategy!r}"
            )
        return self

    def of_seed(self, seed: int) -> Self:
        """The training of one of the models."""
        return self.model_copy(update={"seeds": [seed]})


class ExperimentSettings(Settings):
    """One experiment: a model, a loss, and the lines it learns from."""

    lines: str
    """A key of the section `lines`."""
    loss: Loss
    """`ce`: cross-entropy at every position; `ctc`: connectionist temporal classification."""
    model: ModelSettings
    """The model and its sizes."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Keys of the section `training` that this experiment sets otherwise."""


def training_of(experiment: ExperimentSettings, shared: Mapping[str, Any]) -> dict[str, Any]:
    """The shared `training` block with the experiment's own keys laid over it, one level deep and in `trainer`."""
    merged = {**shared, **experiment.training}
    if isinstance(trainer := experiment.training.get("trainer"), Mapping):
        merged["trainer"] = {**shared.get("trainer", {}), **trainer}
    return merged


def read_experiment(key: str, **overrides: Any) -> tuple[ExperimentSettings, TrainingSettings]:
    """The experiment called `key` in `params.yaml`, and its training settings with `overrides` on top.

    Raises:
        InputError: there is no such experiment, or its block or its training settings are not valid.
    """
    params = read_params()
    experiment = read_section(ExperimentSettings, "experiments", key, params=params)
    shared = read_section(TrainingSettings, "training", params=params).model_dump()
    merged = {**training_of(experiment, shared), **overrides}
    return experiment, validate(TrainingSettings, merged, prefix=("experiments", key, "training"))
