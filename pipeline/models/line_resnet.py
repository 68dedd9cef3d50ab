"""A residual network over a whole line: features for the models that read on from them."""

from torch import Tensor, nn

from pipeline.common.geometry import Windows, round_up
from pipeline.kernels.relu import ReLU
from pipeline.models.layers.lengths import Lengths, longest
from pipeline.models.layers.residual import BLOCKS, PatchMerging, patches

RASTER = 16
"""Images are computed in widths of so many pixels, as oneDNN compiles its kernels for each width."""


class LineResNet(nn.Module):
    """Images (B, 1, 28, W) float in [0, 1] to features (B, S, `features`), one step for each window.

    Three levels of blocks, each of the kind `block`: `channels` at half the resolution, twice as many at a quarter, and
    four times as many at an eighth of the height, whose positions stand every `last_stride` pixels. Every step is a
    patch of the last level.
    """

    def __init__(
        self,
        windows: Windows,
        channels: int,
        blocks: tuple[int, int, int],
        features: int,
        last_stride: int = 4,
        block: str = "residual",
    ) -> None:
        super().__init__()
        self.windows = windows
        self.features = features
        first, second, third = channels, 2 * channels, 4 * channels
        make = BLOCKS[block]
        self.stem = nn.Conv2d(4, first, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(first)
        self.relu = ReLU()
        self.levels = nn.Sequential(
            *[make(first) for _ in range(blocks[0])],
            PatchMerging(first, second, 2, 2),
            *[make(second) for _ in range(blocks[1])],
            PatchMerging(second, third, 2, last_stride // 4),
            *[make(third) for _ in range(blocks[2])],
            PatchMerging(third, features, 4, windows.stride // last_stride),
        )

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """Features at every step of the image, or at `max(lengths)` steps as if blank paper went on."""
        steps = self.windows.steps(images.shape[-1]) if lengths is None else longest(lengths)
        pixels = images.shape[-1] if lengths is None else max(images.shape[-1], self.windows.width_for(steps))
        paper = nn.functional.pad(images, (0, round_up(pixels, RASTER) - images.shape[-1]))
        halved = patches(paper, 2, 2).permute(0, 3, 1, 2)
        features: Tensor = self.levels(self.relu(self.norm(self.stem(halved))))
        return features.squeeze(2).transpose(1, 2)[:, :steps]
