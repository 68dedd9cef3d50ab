"""Settings of the models that begin with a residual network."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.common.geometry import Windows
from pipeline.settings.base import Settings

Dimension = Annotated[int, Field(ge=1, le=65_536)]
Layers = Annotated[int, Field(ge=1, le=16)]
Blocks = Annotated[int, Field(ge=0, le=64)]


class LineResNetSettings(Settings):
    """What the models have in common: convolutions, and where their steps look."""

    window_stride: Literal[4, 8] = 8
    """Pixels from one step to the next."""
    limit_output_length: bool = False
    """Cut the steps to the target's length, which cross-entropy needs where they are more."""
    conv_dim: Dimension = 32
    """Channels at half the resolution; there are twice as many at a quarter and four times as many at an eighth."""
    block: Literal["residual", "depthwise"] = "residual"
    """`residual`: two 3 x 3 convolutions; `depthwise`: one of 5 x 5 for each channel, and two layers over channels."""
    blocks_half: Blocks = 1
    """Blocks at half the resolution."""
    blocks_quarter: Blocks = 2
    """Blocks at a quarter of it."""
    blocks_eighth: Blocks = 2
    """Blocks at an eighth of the height."""
    last_stride: Literal[4, 8] = 4
    """Pixels from one position of those last blocks to the next, at most `window_stride`; 8 halves their work."""
    fc_dim: Dimension = 256
    """Features of each step."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout on features, and between and after the layers that read on."""
    intermediate: bool = False
    """Let the features make logits too, for a share of the training's loss; see `training.intermediate_weight`."""

    @property
    def window_width(self) -> int:
        """A step's patch; what it sees beside is its margin."""
        return self.window_stride

    @property
    def blocks(self) -> tuple[int, int, int]:
        """At a half, a quarter and an eighth."""
        return self.blocks_half, self.blocks_quarter, self.blocks_eighth

    @property
    def windows(self) -> Windows:
        """The geometry of this model's steps; each block widens the margin by two positions, the stem by one."""
        margin = 2 * (1 + 2 * self.blocks_half) + 8 * self.blocks_quarter + 2 * self.last_stride * self.blocks_eighth
        return Windows(self.window_stride, self.window_stride, margin, downsampling=8)

    @model_validator(mode="after")
    def _blocks_are_as_fine_as_steps(self) -> Self:
        if self.last_stride > self.window_stride:
            raise ValueError(f"last_stride {self.last_stride} must be at most window_stride {self.window_stride}")
        return self


class LineResNetLSTMSettings(LineResNetSettings):
    """Residual convolutions, then bidirectional LSTM layers over their features."""

    name: Literal["line_resnet_lstm"]
    """Which model."""
    lstm_dim: Dimension = 256
    """Hidden width of each direction."""
    lstm_layers: Layers = 1
    """Stacked bidirectional layers."""


class AttentionSettings(LineResNetSettings):
    """What the models have in common that attend over steps."""

    heads: Annotated[int, Field(ge=1, le=64)] = 4
    """Attention heads of each layer, by which `attended` must be divisible."""

    @property
    def attended(self) -> tuple[int, str]:
        """How many numbers of a step the heads share among them, and what that is."""
        return self.fc_dim, f"fc_dim {self.fc_dim}"

    @model_validator(mode="after")
    def _heads_divide_what_is_attended(self) -> Self:
        width, name = self.attended
        if width % self.heads:
            raise ValueError(f"{name} must be divisible by heads {self.heads}")
        return self


class LineResNetLookalikesSettings(AttentionSettings):
    """Residual convolutions, then a bidirectional LSTM layer, attention between steps that look alike, and a layer."""

    name: Literal["line_resnet_lookalikes"]
    """Which model."""
    lstm_dim: Dimension = 256
    """Hidden width of each direction of both layers."""

    @property
    def attended(self) -> tuple[int, str]:
        """The states of both directions."""
        return 2 * self.lstm_dim, f"twice lstm_dim {self.lstm_dim}"


class LineResNetTransformerSettings(AttentionSettings):
    """Residual convolutions, then a transformer encoder over their features."""

    name: Literal["line_resnet_transformer"]
    """Which model."""
    layers: Layers = 4
    """Layers of the encoder."""


class LineResNetConformerSettings(AttentionSettings):
    """Residual convolutions, then conformer blocks over their features."""

    name: Literal["line_resnet_conformer"]
    """Which model."""
    layers: Layers = 2
    """Conformer blocks."""
    kernel: Annotated[int, Field(ge=1, le=63)] = 15
    """Steps that a block's convolution sees at once; an odd number."""

    @model_validator(mode="after")
    def _kernel_has_a_middle(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} must be odd")
        return self
