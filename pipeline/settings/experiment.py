"""Experiments and their training: the sections `experiments` and `training` of `params.yaml`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.settings.augmentation import LineAugmentationSettings, StreamingSettings
from pipeline.settings.base import OptionalPath, Seed, Settings, read_params, read_section, validate
from pipeline.settings.models import ModelSettings

Count = Annotated[int, Field(ge=1, le=1_000_000)]
MAX_SEEDS = 32
LOCAL_STRATEGIES = ("auto", "ddp")
"""Lightning's strategies that `training.local_steps` can replace."""


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("must name each seed once")
    return seeds


Seeds = Annotated[list[Seed], Field(min_length=1, max_length=MAX_SEEDS), AfterValidator(_distinct)]
Loss = Literal["ce", "ctc"]
"""Names of the losses. Add a new one here and in `pipeline/objectives/registry.py`."""


class TrainerSettings(Settings):
    """Arguments of Lightning's `Trainer`, passed on unchanged."""

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"]
    """Kind of device to train on; `auto` takes a GPU if there is one."""
    devices: int | Literal["auto"] | list[int]
    """Number of devices, or a list of their indices."""
    num_nodes: Annotated[int, Field(ge=1, le=100_000)]
    """Number of machines."""
    strategy: str
    """How several devices train together, such as `auto` or `ddp`."""
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"]
    """Number format; `auto` is bf16-mixed if the hardware has bf16 (and a CPU is no slower with it), else 32-true."""
    gradient_clip_val: Annotated[float, Field(gt=0)] | None
    """Maximum gradient norm, or null for no clipping."""
    accumulate_grad_batches: Count
    """Batches per optimizer step."""


class TrainingSettings(Settings):
    """How a model is trained; an experiment's own `training` block overrides single keys."""

    seeds: Seeds
    """Seeds of weights, batches and dropout. One model is trained for each seed, and results are means over them."""
    max_epochs: Count
    """Epochs at most. Each is followed by the validation."""
    passes_per_epoch: Count = 1
    """Passes over the training lines in an epoch, for so few lines that their validation would take longer; an epoch of
    streaming lines has `endless.lines_per_epoch` of them."""
    batch_size: Count
    """Lines per batch and device."""
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    """Learning rate; its peak if `one_cycle` is on."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """`adam`, as in the lecture, or `adamw`, with decoupled weight decay."""
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """AdamW's weight decay; biases and normalization layers have none."""
    find_learning_rate: bool
    """Replace `learning_rate` by the result of Lightning's learning-rate finder."""
    one_cycle: bool
    """Raise, then lower the learning rate over the whole training (PyTorch's OneCycleLR)."""
    warm_up: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Fraction of the training in which `one_cycle` raises the learning rate."""
    average_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay per step of an exponential moving average of the weights, which is validated and saved; or null."""
    local_steps: Count = 1
    """Local SGD: steps of each device before the devices' weights are averaged; 1 averages gradients at each step."""
    intermediate_weight: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Weight of the intermediate logits' loss, 1 minus it for the final logits; only for models with `intermediate`."""
    frozen: list[str] = Field(default_factory=list)
    """Parts of the model whose loaded weights stay as they are, such as `line_resnet`."""
    early_stopping_patience: Count
    """Stop after this many epochs without a better validation loss."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Weight of uniform targets in the training loss, which keeps models from becoming overconfident."""
    augmentation: LineAugmentationSettings | None = None
    """Random changes to the lines of the data set, or null for none; streaming lines have their own."""
    endless: StreamingSettings | None = None
    """Streaming lines to train on, or null for the lines of the data set."""
    trainer: TrainerSettings
    """Settings of Lightning's trainer."""

    @model_validator(mode="before")
    @classmethod
    def _load_has_moved(cls, block: object) -> object:
        if isinstance(block, Mapping) and "load" in block:
            raise ValueError("load is a key of each experiment now; remove it here and set experiments.<name>.load")
        return block

    @model_validator(mode="after")
    def _check_local_steps(self) -> Self:
        if self.local_steps > 1 and self.trainer.strategy not in LOCAL_STRATEGIES:
            raise ValueError(
                f"local_steps: {self.local_steps} needs trainer.strategy {' or '.join(LOCAL_STRATEGIES)}, "
                f"not {self.trainer.strategy!r}"
            )
        return self

    def with_seed(self, seed: int) -> Self:
        """Return the settings of the training with one of the seeds."""
        return self.model_copy(update={"seeds": [seed]})


class ExperimentSettings(Settings):
    """One experiment: a model, a loss, and the lines to train on."""

    lines: str
    """A key of the section `lines`."""
    loss: Loss
    """`ce`: cross-entropy at each target position; `ctc`: connectionist temporal classification."""
    model: ModelSettings
    """The model and its sizes."""
    load: OptionalPath = None
    """Checkpoint whose weights the training starts from, such as `models/<name>/seed_42.ckpt`, or `data/none`."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Keys of the section `training` with other values for this experiment."""


def merge_training(experiment: ExperimentSettings, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shared `training` block with the experiment's own keys instead; keys of `trainer` are merged too."""
    merged = {**shared, **experiment.training}
    if isinstance(trainer := experiment.training.get("trainer"), Mapping):
        merged["trainer"] = {**shared.get("trainer", {}), **trainer}
    return merged


def read_experiment(key: str) -> tuple[ExperimentSettings, TrainingSettings]:
    """Read the experiment `key` of `params.yaml` and its training settings.

    Raises:
        InputError: there is no such experiment, or its block or its training settings are not valid.
    """
    params = read_params()
    experiment = read_section(ExperimentSettings, "experiments", key, params=params)
    shared = read_section(TrainingSettings, "training", params=params).model_dump()
    return experiment, validate(
        TrainingSettings, merge_training(experiment, shared), prefix=("experiments", key, "training")
    )
