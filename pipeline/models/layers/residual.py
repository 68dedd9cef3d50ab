"""The blocks of the residual network, normalized by batch norm."""

from torch import Tensor, nn

from pipeline.kernels.relu import ReLU


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut: (B, C, H, W) to (B, C, H, W). Initially it is the shortcut and a ReLU."""

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
        x = self.relu(self.norm1(self.conv1(features)))
        x = self.norm2(self.conv2(x))
        output: Tensor = self.relu(x + features)
        return output


class DepthwiseBlock(nn.Module):
    """A depthwise 5 x 5 convolution, two 1 x 1 convolutions and a shortcut: (B, C, H, W) to (B, C, H, W).

    It has the receptive field of a `ResidualBlock` with at most half the multiplications. It is like the blocks of Liu
    et al., "A ConvNet for the 2020s", 2022, with four times the channels inside, but has batch norms. Initially it is
    the shortcut.
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
        """See the class."""
        x = self.norm1(self.depthwise(features))
        x = self.relu(self.widen(x))
        output: Tensor = self.norm2(self.narrow(x)) + features
        return output


BLOCKS = {"residual": ResidualBlock, "depthwise": DepthwiseBlock}
"""The blocks by their names in the settings."""


class PatchMerging(nn.Module):
    """Merge patches of `height` x `width` positions: (B, C, H, W) to (B, out_channels, H / height, W / width).

    Computes a strided convolution without overlap, then batch norm and ReLU. The convolution is a matrix product,
    because the gradients of strided convolutions are slow on a CPU. Missing rows and columns count as zeros.
    """

    def __init__(self, in_channels: int, out_channels: int, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.linear = nn.Linear(height * width * in_channels, out_channels, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.relu = ReLU()

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        x = self.linear(patches(features, self.height, self.width))
        output: Tensor = self.relu(self.norm(x.permute(0, 3, 1, 2)))
        return output


def patches(features: Tensor, height: int, width: int) -> Tensor:
    """Patches of (B, C, H, W) as (B, H / height, W / width, height * width * C), both sides rounded up."""
    missing = -features.shape[2] % height, -features.shape[3] % width
    if any(missing):
        features = nn.functional.pad(features, (0, missing[1], 0, missing[0]))
    batch, channels, rows, columns = features.shape
    grid = features.permute(0, 2, 3, 1).reshape(batch, rows // height, height, columns // width, width, channels)
    return grid.transpose(2, 3).reshape(batch, rows // height, columns // width, -1)
