"""The models and their sizes: the block `model` of an experiment in `params.yaml`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.common.geometry import Windows
from pipeline.settings.base import Settings

Dimension = Annotated[int, Field(ge=1, le=65_536)]
Layers = Annotated[int, Field(ge=1, le=16)]
Blocks = Annotated[int, Field(ge=0, le=64)]
DropoutProbability = Annotated[float, Field(ge=0, lt=1)]


class LineCNNSimpleSettings(Settings):
    """A CNN on each window of the line."""

    name: Literal["line_cnn_simple"]
    """The model's name."""
    window_width: Annotated[int, Field(ge=4, le=512)]
    """Width of a window in pixels."""
    window_stride: Annotated[int, Field(ge=1, le=512)]
    """Pixels from one window to the next."""
    limit_output_length: bool
    """Cut the steps to the target's length; cross-entropy needs it where there are more steps than targets."""
    conv_dim: Dimension = 64
    """Channels of both convolutions."""
    fc_dim: Dimension = 128
    """Width of the hidden linear layer."""

    @property
    def windows(self) -> Windows:
        """The geometry of the model's steps."""
        return Windows(self.window_width, self.window_stride)


class LineCNNSettings(Settings):
    """A fully convolutional network over the whole line."""

    name: Literal["line_cnn"]
    """The model's name."""
    window_width: Annotated[int, Field(ge=8, le=512)] = 16
    """Width of a window in pixels; the network divides it by 8 and rounds down."""
    window_stride: Annotated[int, Field(ge=8, le=512)] = 8
    """Pixels from one window to the next; the network divides them by 8 and rounds down."""
    limit_output_length: bool = False
    """Cut the steps to the target's length; cross-entropy needs it where there are more steps than targets."""
    conv_dim: Dimension = 32
    """Channels of the first convolutions; the later ones have two and four times as many."""
    fc_dim: Dimension = 512
    """Width of the linear layer."""

    @property
    def windows(self) -> Windows:
        """The geometry of the model's steps; the eight 3 x 3 convolutions give the margin."""
        return Windows(self.window_width // 8 * 8, self.window_stride // 8 * 8, margin=16, downsampling=8)


class LineCNNLSTMSettings(LineCNNSettings):
    """LineCNN, then a bidirectional LSTM over its logits."""

    name: Literal["line_cnn_lstm"]  # type: ignore[assignment]
    """The model's name."""
    lstm_dim: Dimension = 512
    """Hidden width of each direction."""
    lstm_layers: Layers = 1
    """Stacked bidirectional layers."""
    lstm_dropout: DropoutProbability = 0.2
    """Dropout between stacked layers; without effect where there is one layer."""
    intermediate: bool = False
    """Train LineCNN's logits too; `training.intermediate_weight` is the weight of their loss."""


class LineResNetSettings(Settings):
    """What all models with a residual network share: its convolutions and the geometry of the steps."""

    window_stride: Literal[4, 8] = 8
    """Pixels from one step to the next."""
    limit_output_length: bool = False
    """Cut the steps to the target's length; cross-entropy needs it where there are more steps than targets."""
    conv_dim: Dimension = 32
    """Channels at half the resolution; there are twice as many at a quarter and four times as many at an eighth."""
    block: Literal["residual", "depthwise"] = "residual"
    """`residual`: two 3 x 3 convolutions; `depthwise`: a depthwise 5 x 5 convolution and two 1 x 1 convolutions."""
    blocks_half: Blocks = 1
    """Blocks at half the resolution."""
    blocks_quarter: Blocks = 2
    """Blocks at a quarter of the resolution."""
    blocks_eighth: Blocks = 2
    """Blocks at an eighth of the height."""
    last_stride: Literal[4, 8] = 4
    """Pixels from one position of those last blocks to the next, at most `window_stride`; 8 halves their work."""
    fc_dim: Dimension = 256
    """Features of each step."""
    dropout: DropoutProbability = 0.0
    """Dropout on the features, and between and after the sequence layers."""
    intermediate: bool = False
    """Train a second output layer on the features; `training.intermediate_weight` is the weight of its loss."""

    @property
    def window_width(self) -> int:
        """A step's own patch, without the margin."""
        return self.window_stride

    @property
    def blocks(self) -> tuple[int, int, int]:
        """Blocks at a half, a quarter and an eighth."""
        return self.blocks_half, self.blocks_quarter, self.blocks_eighth

    @property
    def windows(self) -> Windows:
        """The geometry of the model's steps; each block widens the margin by two positions, the stem by one."""
        margin = 2 * (1 + 2 * self.blocks_half) + 8 * self.blocks_quarter + 2 * self.last_stride * self.blocks_eighth
        return Windows(self.window_stride, self.window_stride, margin, downsampling=8)

    @model_validator(mode="after")
    def _check_strides(self) -> Self:
        if self.last_stride > self.window_stride:
            raise ValueError(f"last_stride {self.last_stride} must be at most window_stride {self.window_stride}")
        return self


class LineResNetLSTMSettings(LineResNetSettings):
    """A residual network, then bidirectional LSTM layers over its features."""

    name: Literal["line_resnet_lstm"]
    """The model's name."""
    lstm_dim: Dimension = 256
    """Hidden width of each direction."""
    lstm_layers: Layers = 1
    """Stacked bidirectional layers."""


class AttentionSettings(LineResNetSettings):
    """What all models with attention over the steps share."""

    heads: Annotated[int, Field(ge=1, le=64)] = 4
    """Attention heads of each layer; they must divide the width of the attention layer."""

    @property
    def attention_width(self) -> tuple[int, str]:
        """Features of a step that the heads divide among them, and their name in error messages."""
        return self.fc_dim, f"fc_dim {self.fc_dim}"

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        width, name = self.attention_width
        if width % self.heads:
            raise ValueError(f"{name} must be divisible by heads {self.heads}")
        return self


class LineResNetLookalikesSettings(AttentionSettings):
    """A residual network, a bidirectional LSTM layer, attention between similar steps, and another LSTM layer."""

    name: Literal["line_resnet_lookalikes"]
    """The model's name."""
    lstm_dim: Dimension = 256
    """Hidden width of each direction of both layers."""

    @property
    def attention_width(self) -> tuple[int, str]:
        """The hidden states of both directions."""
        return 2 * self.lstm_dim, f"twice lstm_dim {self.lstm_dim}"


class LineResNetTransformerSettings(AttentionSettings):
    """A residual network, then a transformer encoder over its features."""

    name: Literal["line_resnet_transformer"]
    """The model's name."""
    layers: Layers = 4
    """Layers of the encoder."""


class LineResNetConformerSettings(AttentionSettings):
    """A residual network, then conformer blocks over its features."""

    name: Literal["line_resnet_conformer"]
    """The model's name."""
    layers: Layers = 2
    """Conformer blocks."""
    kernel: Annotated[int, Field(ge=1, le=63)] = 15
    """Width of a block's convolution in steps, an odd number."""

    @model_validator(mode="after")
    def _check_kernel(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} must be odd")
        return self


class LinePPOCRSettings(Settings):
    """PP-OCRv6's small recognizer, for lines 48 pixels high; `weights` can come from others."""

    name: Literal["line_ppocr"]
    """The model's name."""
    limit_output_length: bool = False
    """Cut the steps to the target's length; cross-entropy needs it where there are more steps than targets."""
    dropout: DropoutProbability = 0.0
    """Dropout before the output layer."""
    window_stride: Annotated[int, Field(ge=4, le=8)] = 8
    """Pixels from one step to the next. The network was made for 8; for fewer, lines are widened to 8 pixels a step."""

    @property
    def height(self) -> int:
        """The only height of lines in pixels."""
        return 48

    @property
    def window_width(self) -> int:
        """A step's own pixels."""
        return self.window_stride

    @property
    def windows(self) -> Windows:
        """The geometry of the model's steps."""
        return Windows(self.window_width, self.window_stride, downsampling=self.window_stride)


ModelSettings = Annotated[
    LineCNNSimpleSettings
    | LineCNNSettings
    | LineCNNLSTMSettings
    | LineResNetLSTMSettings
    | LineResNetTransformerSettings
    | LineResNetConformerSettings
    | LineResNetLookalikesSettings
    | LinePPOCRSettings,
    Field(discriminator="name"),
]
"""Every model. A new one is added here and in `pipeline/models/registry.py`."""
