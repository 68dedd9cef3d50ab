"""The lecture's first line model: one small CNN, applied to each window of the line."""

import torch
from torch import Tensor, nn

from pipeline.common.geometry import CELL, Windows
from pipeline.kernels.arithmetic import arithmetic_type
from pipeline.kernels.blank_background import tells_paper
from pipeline.kernels.dropout import Dropout
from pipeline.kernels.dropout_linear import dropped_out_linear
from pipeline.kernels.memory_format import PLANNED_WIDTHS, channels_last
from pipeline.kernels.relu import ReLU
from pipeline.kernels.window_cnn import window_features
from pipeline.models.base import LineModel
from pipeline.models.layers.lengths import Lengths, longest


class LineCNNSimple(LineModel):
    """A CNN over windows, images (B, 1, 28, W) float in [0, 1] to logits (B, C, S).

    The CNN is the lecture's lab 2: two 3 x 3 convolutions, max-pooling, dropout, two linear layers.
    """

    raster = PLANNED_WIDTHS["cuda"]

    def __init__(self, num_classes: int, windows: Windows, conv_dim: int = 64, fc_dim: int = 128) -> None:
        super().__init__()
        self.windows = windows
        self.conv1 = nn.Conv2d(1, conv_dim, 3, padding=1)
        self.conv2 = nn.Conv2d(conv_dim, conv_dim, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.relu = ReLU()
        self.dropout = Dropout(0.25)
        self.fc1 = nn.Linear(conv_dim * (CELL // 2) * (windows.width // 2), fc_dim)
        self.fc2 = nn.Linear(fc_dim, num_classes)

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """See `LineModel`."""
        steps = self.windows.steps(images.shape[-1]) if lengths is None else longest(lengths)
        windows = self._cut(images, steps)
        hidden = self.relu(self._hidden(windows.flatten(0, 1)))
        logits: Tensor = self.fc2(hidden)
        return logits.view(len(images), steps, -1).transpose(1, 2)

    def _cut(self, images: Tensor, steps: int) -> Tensor:
        """(B, S, 28, width) windows, the image continued by blank paper where it is too short."""
        missing = self.windows.width_for(steps) - images.shape[-1]
        paper = nn.functional.pad(images, (0, missing)) if missing > 0 else images
        return paper.squeeze(1).unfold(2, self.windows.width, self.windows.stride)[:, :, :steps].transpose(1, 2)

    def _hidden(self, windows: Tensor) -> Tensor:
        """(N, fc_dim) of (N, 28, width) windows, the convolutions of blank paper computed once.

        Half the windows of a batch of lines are blank. Dropout comes after and is drawn for every window anew.
        """
        if not tells_paper(windows):
            return self.dropout.before(self.fc1, *self._features(windows))
        distinct, which = paper_once(windows)
        features, weight = self._features(distinct)
        if not self.training:
            return nn.functional.linear(features, weight, self.fc1.bias).index_select(0, which)
        if not in_chunks(features):
            return self.dropout.before(self.fc1, features.index_select(0, which), weight)
        order = which.argsort(stable=True)
        products = dropped_out_linear(self.dropout, weight, features, len(which) - (len(distinct) - 1))
        return products.index_select(0, order.argsort()) + self.fc1.bias.to(products.dtype)

    def _features(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, conv_dim * 14 * (width // 2)) of (N, 28, width), and the weights of `fc1` in their order.

        Both go by the order in memory, in which the channels of a pixel lie side by side.
        """
        images = windows.unsqueeze(1)
        if in_chunks(images):
            features = window_features(images, self.conv1, self.conv2)
        else:
            # Pooling before the second ReLU gives the same values as the lecture's order, on a quarter of the pixels.
            features = self.relu(self.pool(self.conv2(self.relu(self.conv1(channels_last(images))))))
        weight = self.fc1.weight.view(-1, *features.shape[1:])
        return features.permute(0, 2, 3, 1).flatten(1), weight.permute(0, 2, 3, 1).flatten(1)


def in_chunks(values: Tensor) -> bool:
    """Whether a few windows at a time go through the model, which pays on a CPU; other numbers are for tests of it."""
    return values.device.type == "cpu" and arithmetic_type(values) in (torch.bfloat16, torch.float32)


def paper_once(windows: Tensor) -> tuple[Tensor, Tensor]:
    """The windows (N, 28, width) with ink and last a blank one, and for each window its index (N,) among these."""
    inked = windows.flatten(1).any(1)
    distinct = torch.cat((windows[inked], windows.new_zeros(1, *windows.shape[1:])))
    return distinct, torch.where(inked, inked.cumsum(0) - 1, len(distinct) - 1)
