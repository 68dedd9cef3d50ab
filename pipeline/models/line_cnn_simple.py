"""The lecture's first line model: one small CNN, applied to each window of the line."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.geometry import CELL, Windows
from pipeline.models.base import LineModel
from pipeline.models.dropout import Dropout
from pipeline.models.layout import channels_last
from pipeline.models.relu import ReLU
from pipeline.models.repeated_rows import dropped_out_linear
from pipeline.models.window_features import arithmetic_type, window_features


class LineCNNSimple(LineModel):
    """A CNN over windows, images (B, 1, 28, W) float in [0, 1] to logits (B, C, S).

    The CNN is the lecture's lab 2: two 3 x 3 convolutions, max-pooling, dropout, two linear layers.
    """

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

    def forward(self, images: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """See `LineModel`."""
        steps = self.windows.steps(images.shape[-1]) if lengths is None else max(lengths)
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
        """(N, fc_dim) of (N, 28, width) windows, the convolutions of each distinct window computed once.

        Half the windows of a batch of lines are blank paper, and equal windows have equal features;
        dropout comes after and is drawn for every window anew.
        """
        distinct, which = distinct_rows(windows.flatten(1))
        features = self._features(distinct.view(-1, 1, *windows.shape[1:])).flatten(1)
        if self.training and in_chunks(features):
            return dropped_out_linear(self.dropout, self.fc1, features, which)
        return self.dropout.before(self.fc1, features.index_select(0, which))

    def _features(self, images: Tensor) -> Tensor:
        """(N, conv_dim, 14, width // 2) of (N, 1, 28, width)."""
        if in_chunks(images):
            return window_features(images, self.conv1, self.conv2)
        images = channels_last(images)
        # Pooling before the second ReLU gives the same values as the lecture's order, on a quarter of the pixels.
        features: Tensor = self.relu(self.pool(self.conv2(self.relu(self.conv1(images)))))
        return features


def in_chunks(values: Tensor) -> bool:
    """Whether a few windows at a time go through the model, which pays on a CPU; other numbers are for tests of it."""
    return values.device.type == "cpu" and arithmetic_type(values) in (torch.bfloat16, torch.float32)


def distinct_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct rows of (N, D) pixels, float32 or float64, and for each row its index among them.

    Rows are told apart by 64-bit sums of their bits with fixed odd weights (multiplicative hashing), of
    which two differ for different rows but with a chance of 2^-40 or less. On a GPU every row is its own:
    finding duplicates there costs more than the convolutions.
    """
    if rows.is_cuda:
        return rows, torch.arange(len(rows), device=rows.device)
    words = rows.contiguous().view(torch.int32).long()
    generator = torch.Generator().manual_seed(0)
    weights = torch.empty(words.shape[1], dtype=torch.int64).random_(-(2**63), None, generator=generator) | 1
    _, which = torch.unique((words * weights).sum(1), return_inverse=True)
    first = torch.full((int(which.max()) + 1,), len(rows)).scatter_reduce(
        0, which, torch.arange(len(rows)), reduce="amin"
    )
    return rows[first], which
