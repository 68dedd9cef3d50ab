"""The blocks of residual networks, normalized by batch norm."""

from torch import Tensor, nn

from pipeline.kernels.relu import ReLU


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, (B, C, H, W) to the same; begins as its shortcut alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.relu = ReLU()
        nn.init.zeros_(self.norm2.weight)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        hidden = self.relu(self.norm1(self.conv1(features)))
        changed: Tensor = self.relu(self.norm2(self.conv2(hidden)) + features)
        return changed


class DepthwiseBlock(nn.Module):
    """A 5 x 5 convolution of each channel by itself and two layers over channels, beside a shortcut.

    It begins as its shortcut alone, and reaches as far as a `ResidualBlock` for half the multiplications or less. Like
    the blocks of Liu et al., "A ConvNet for the 2020s", 2022, it is four times as wide inside; norms are batch norms.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.widen = nn.Conv2d(channels, 4 * channels, 1)
        self.narrow = nn.Conv2d(4 * channels, channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.relu = ReLU()
        nn.init.zeros_(self.norm2.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        hidden = self.relu(self.widen(self.norm1(self.depthwise(features))))
        changed: Tensor = self.norm2(self.narrow(hidden)) + features
        return changed


BLOCKS = {"residual": ResidualBlock, "depthwise": DepthwiseBlock}
"""Every kind that can be named."""


class PatchMerging(nn.Module):
    """Patches of `height` x `width` to one position each, (B, C, H, W) to (B, out_channels, H / height, W / width).

    What a strided convolution without overlap computes, but as a matrix product: on a CPU the gradients of strided
    convolutions are slow. Missing rows and columns count as zeros.
    """

    def __init__(self, in_channels: int, out_channels: int, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.linear = nn.Linear(height * width * in_channels, out_channels, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.relu = ReLU()

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        merged = self.linear(patches(features, self.height, self.width))
        normal: Tensor = self.relu(self.norm(merged.permute(0, 3, 1, 2)))
        return normal


def patches(features: Tensor, height: int, width: int) -> Tensor:
    """(B, H / height, W / width, height * width * C) of (B, C, H, W), rounded up."""
    missing = -features.shape[2] % height, -features.shape[3] % width
    if any(missing):
        features = nn.functional.pad(features, (0, missing[1], 0, missing[0]))
    batch, channels, rows, columns = features.shape
    grid = features.permute(0, 2, 3, 1).reshape(batch, rows // height, height, columns // width, width, channels)
    return grid.transpose(2, 3).reshape(batch, rows // height, columns // width, -1)
