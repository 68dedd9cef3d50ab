"""The convolutional layers of PP-OCRv6's recognizer, without batch norms: they are folded into the convolutions."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.layers.own_width import OwnWidth


class Stem(nn.Module):
    """Images (B, 1, H, W) to features (B, out_channels, H / 4, W / 4)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(channels, channels // 2, 2)
        self.conv3 = nn.Conv2d(channels // 2, channels, 2)
        self.conv4 = nn.Conv2d(2 * channels, channels, 3, stride=2, padding=1)
        self.conv5 = nn.Conv2d(channels, out_channels, 1)

    def forward(self, images: Tensor, own_width: OwnWidth) -> Tensor:
        """See the class."""
        x = own_width.clear_padding(self.conv1(own_width.clear_padding(images)).relu())
        narrow = own_width.clear_padding(self.conv2(pad_bottom_right(x)).relu())
        branches = functional.max_pool2d(pad_bottom_right(x), 2, stride=1), self.conv3(pad_bottom_right(narrow)).relu()
        x = self.conv4(own_width.clear_padding(torch.cat(branches, 1))).relu()
        features: Tensor = self.conv5(x).relu()
        return features


def pad_bottom_right(features: Tensor) -> Tensor:
    """One row and one column of zeros, so that a 2 x 2 filter keeps the size."""
    return functional.pad(features, (0, 1, 0, 1))


class Block(nn.Module):
    """Depthwise 3 x 3 convolution, squeeze and excitation, two 1 x 1 convolutions with a shortcut.

    Features (B, C, H, W) to the same shape, or with `out_channels` to (B, out_channels, H / 2, W) without a shortcut.
    """

    def __init__(self, channels: int, out_channels: int | None = None, *, squeeze: bool = False) -> None:
        super().__init__()
        stride = (2, 1) if out_channels else 1
        self.shortcut = not out_channels
        self.depthwise = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, groups=channels)
        self.excitation = SqueezeExcitation(channels, channels // 4) if squeeze else None
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(2 * channels, out_channels or channels, 1)

    def forward(self, features: Tensor, own_width: OwnWidth) -> Tensor:
        """See the class."""
        x: Tensor = self.depthwise(own_width.clear_padding(features))
        if self.excitation:
            x = self.excitation(x, own_width)
        mixed: Tensor = self.narrow(functional.gelu(self.widen(x)))
        return x + mixed if self.shortcut else mixed


class SqueezeExcitation(nn.Module):
    """Scale each channel by what all positions say together (Hu et al., "Squeeze-and-Excitation Networks", 2018)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Tensor, own_width: OwnWidth) -> Tensor:
        """See the class."""
        x = self.squeeze(own_width.mean(features)).relu()
        return features * functional.hardsigmoid(self.excite(x))
