"""The lecture's first line model: one small CNN, applied to each window of the line."""

from torch import Tensor, nn

from pipeline.common.geometry import CELL
from pipeline.kernels import window_cnn
from pipeline.kernels.dropout import Dropout
from pipeline.kernels.memory_format import WIDTH_MULTIPLES
from pipeline.kernels.relu import ReLU
from pipeline.models.base import LineModel
from pipeline.models.layers.lengths import Lengths, longest
from pipeline.settings.models import LineCNNSimpleSettings


class LineCNNSimple(LineModel):
    """The CNN of the lecture's lab 2 on each window: images (B, 1, H, W) float in [0, 1] to logits (B, C, S)."""

    width_multiple = WIDTH_MULTIPLES["cuda"]

    def __init__(self, num_classes: int, settings: LineCNNSimpleSettings, height: int = CELL) -> None:
        super().__init__()
        self.height = height
        self.windows = settings.windows
        conv_dim, fc_dim = settings.conv_dim, settings.fc_dim
        self.conv1 = nn.Conv2d(1, conv_dim, 3, padding=1)
        self.conv2 = nn.Conv2d(conv_dim, conv_dim, 3, padding=1)
        self.relu = ReLU()
        self.pool = nn.MaxPool2d(2)
        self.dropout = Dropout(0.25)
        self.fc1 = nn.Linear(conv_dim * (height // 2) * (self.windows.width // 2), fc_dim)
        self.fc2 = nn.Linear(fc_dim, num_classes)

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """See `LineModel`."""
        steps = self.windows.steps(images.shape[-1]) if lengths is None else longest(lengths)
        windows = self.cut(images, steps).flatten(0, 1)  # (B * S, H, width)
        logits: Tensor = self.fc2(self.relu(self.hidden(windows)))
        return logits.view(len(images), steps, -1).transpose(1, 2)

    def hidden(self, windows: Tensor) -> Tensor:
        """Hidden units (N, fc_dim) of windows (N, H, width)."""
        if window_cnn.applies(windows):
            return window_cnn.hidden(self, windows)  # the same function, faster
        x = self.relu(self.conv1(windows.unsqueeze(1)))
        x = self.pool(self.relu(self.conv2(x)))
        hidden: Tensor = self.fc1(self.dropout(x.flatten(1)))
        return hidden

    def cut(self, images: Tensor, steps: int) -> Tensor:
        """Cut windows (B, S, H, width), padding images that are too narrow with background."""
        missing = self.windows.width_for(steps) - images.shape[-1]
        padded = nn.functional.pad(images, (0, missing)) if missing > 0 else images
        return padded.squeeze(1).unfold(2, self.windows.width, self.windows.stride)[:, :, :steps].transpose(1, 2)
