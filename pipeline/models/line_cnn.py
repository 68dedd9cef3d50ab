"""The lecture's second line model: one convolutional network over the whole line."""

import torch
from torch import Tensor, nn

from pipeline.common.geometry import CELL, Windows
from pipeline.kernels.blank_background import parts_by_ink, tells_paper
from pipeline.kernels.conv_relu import RectifiedConvs, rectified_convs
from pipeline.kernels.dropout import Dropout
from pipeline.kernels.memory_format import PLANNED_WIDTHS, planned_width
from pipeline.kernels.relu import ReLU
from pipeline.models.base import LineModel
from pipeline.models.layers.lengths import Lengths, longest

PART = 16
"""Lines of like width that a CPU computes together."""


class LineCNN(LineModel):
    """A fully convolutional network, images (B, 1, 28, W) float in [0, 1] to logits (B, C, S)."""

    raster = PLANNED_WIDTHS["cuda"]

    def __init__(self, num_classes: int, windows: Windows, conv_dim: int = 32, fc_dim: int = 512) -> None:
        super().__init__()
        self.windows = windows
        d = conv_dim
        self.convs = RectifiedConvs(
            _conv(1, d),
            _conv(d, d),
            _conv(d, d, stride=2),
            _conv(d, d),
            _conv(d, 2 * d, stride=2),
            _conv(2 * d, 2 * d),
            _conv(2 * d, 4 * d, stride=2),
            _conv(4 * d, 4 * d),
        )
        rows = CELL // 8
        kernel, stride = (rows, windows.width // 8), (rows, windows.stride // 8)
        self.window_conv = nn.Conv2d(4 * d, fc_dim, kernel, stride)
        self.fc1 = nn.Linear(fc_dim, fc_dim)
        self.relu = ReLU()
        self.dropout = Dropout(0.2)
        self.fc2 = nn.Linear(fc_dim, num_classes)
        self._initialize()

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """See `LineModel`."""
        features = self._features(images) if lengths is None else self._on_endless_paper(images, longest(lengths))
        hidden = self.relu(self.fc1(features.transpose(1, 2)))
        return self.dropout.before(self.fc2, hidden).transpose(1, 2)

    def _features(self, images: Tensor) -> Tensor:
        """(B, fc_dim, S)."""
        return rectified_convs(self.convs(images), [self.window_conv]).squeeze(2)

    def _on_endless_paper(self, images: Tensor, steps: int) -> Tensor:
        """(B, fc_dim, steps) of images whose ink ends where they do, or before.

        Lines at random, which cross-entropy has, are on average half as wide as the widest of them.
        """
        if not tells_paper(images):
            return self._of_part(images, steps)
        parts, places = parts_by_ink(images, PART)
        features = [self._of_part(part, steps) for part in parts]
        return features[0] if len(parts) == 1 else torch.cat(features).index_select(0, places)

    def _of_part(self, images: Tensor, steps: int) -> Tensor:
        """As `_on_endless_paper`, of lines of like width.

        Far right of the ink every step sees the same blank paper, so it is computed once and repeated.
        Steps that would feel the zero padding at the right edge are not used.
        """
        computed = min(steps, self.windows.first_blank_step(images.shape[-1]) + 1)
        missing = planned_width(self.windows.width_for(computed), images.device) - images.shape[-1]
        features = self._features(nn.functional.pad(images, (0, missing)))[..., :computed]
        repeated = features[..., -1:].expand(-1, -1, steps - computed)
        return torch.cat((features, repeated), dim=-1)

    def _initialize(self) -> None:
        """Kaiming-normal weights by fan out, as the lecture has them; biases stay PyTorch's."""
        for module in self.modules():
            # Without values there is nothing to draw, and drawing all the same takes a second: it imports the compiler.
            if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight, a=0, mode="fan_out", nonlinearity="relu")


def _conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1)
