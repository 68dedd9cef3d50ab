"""A residual network over the whole line, and the models that process its features."""

from abc import abstractmethod

from torch import Tensor, nn

from pipeline.common.geometry import CELL, round_up
from pipeline.kernels.dropout import Dropout
from pipeline.kernels.relu import ReLU
from pipeline.models.base import LineModel
from pipeline.models.layers.lengths import Lengths, longest
from pipeline.models.layers.residual import BLOCKS, PatchMerging, patches
from pipeline.settings.models import LineResNetSettings

WIDTH_MULTIPLE = 16
"""Image widths in pixels are rounded up to a multiple of this, as oneDNN compiles its kernels for each width."""


class LineResNet(nn.Module):
    """Images (B, 1, H, W) float in [0, 1] to features (B, S, `fc_dim`), one step for each window.

    It has three levels of blocks: `conv_dim` channels at half the resolution, twice as many at a quarter, and four
    times as many at an eighth of the height, with a position every `last_stride` pixels. A step is a patch of the last
    level.
    """

    def __init__(self, settings: LineResNetSettings, height: int = CELL) -> None:
        super().__init__()
        self.windows = settings.windows
        half, quarter, eighth = settings.conv_dim, 2 * settings.conv_dim, 4 * settings.conv_dim
        block, stride = BLOCKS[settings.block], settings.last_stride
        self.stem = nn.Conv2d(4, half, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(half)
        self.relu = ReLU()
        self.levels = nn.Sequential(
            *[block(half) for _ in range(settings.blocks_half)],
            PatchMerging(half, quarter, 2, 2),
            *[block(quarter) for _ in range(settings.blocks_quarter)],
            PatchMerging(quarter, eighth, 2, stride // 4),
            *[block(eighth) for _ in range(settings.blocks_eighth)],
            PatchMerging(eighth, settings.fc_dim, round_up(height, 8) // 8, settings.window_stride // stride),
        )

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """Features at every step of the images, or at `max(lengths)` steps; see `LineModel`."""
        steps = self.windows.steps(images.shape[-1]) if lengths is None else longest(lengths)
        width = images.shape[-1]
        missing = 0 if lengths is None else max(0, self.windows.width_for(steps) - width)
        x = nn.functional.pad(images, (0, round_up(width + missing, WIDTH_MULTIPLE) - width))
        x = patches(x, 2, 2).permute(0, 3, 1, 2)
        x = self.relu(self.norm(self.stem(x)))
        features: Tensor = self.levels(x)
        return features.squeeze(2).transpose(1, 2)[:, :steps]


class LineResNetModel(LineModel):
    """A `LineResNet`, and layers over its features that subclasses add."""

    width_multiple = WIDTH_MULTIPLE
    """Batch norm sees the padding too, so there is no more of it than the ResNet adds anyway."""
    fc: nn.Linear
    """The output layer."""
    intermediate: nn.Linear | None
    """An output layer on the ResNet's features for training, or None."""

    def __init__(self, settings: LineResNetSettings, height: int) -> None:
        super().__init__()
        self.windows = settings.windows
        self.height = height
        self.line_resnet = LineResNet(settings, height)
        self.dropout = Dropout(settings.dropout)

    def add_output_layers(self, num_classes: int, width: int, settings: LineResNetSettings) -> None:
        """Create the output layers, for `width` features of the head.

        They come after all other layers: with a seed, the order of creation decides which weights a layer draws.
        """
        self.fc = nn.Linear(width, num_classes)
        self.intermediate = nn.Linear(settings.fc_dim, num_classes) if settings.intermediate else None

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """See `LineModel`."""
        return self.head(self.line_resnet(images, lengths), lengths)

    def logits_by_depth(self, images: Tensor, lengths: Lengths | None = None) -> list[Tensor]:
        """See `LineModel`. The intermediate logits come from the ResNet's features."""
        features = self.line_resnet(images, lengths)
        inner = [self.intermediate(features).transpose(1, 2)] if self.intermediate else []
        return [*inner, self.head(features, lengths)]

    @abstractmethod
    def head(self, features: Tensor, lengths: Lengths | None) -> Tensor:
        """Features (B, S, F) to logits (B, C, S), each line as if it were alone."""
