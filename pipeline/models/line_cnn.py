"""The lecture's second line model: one convolutional network over the whole line."""

from torch import Tensor, nn

from pipeline.common.geometry import CELL
from pipeline.kernels import blank_background, conv_relu
from pipeline.kernels.dropout import Dropout
from pipeline.kernels.dropout_linear import dropout_linear
from pipeline.kernels.memory_format import WIDTH_MULTIPLES
from pipeline.kernels.relu import ReLU
from pipeline.models.base import LineModel
from pipeline.models.layers.lengths import Lengths, longest
from pipeline.settings.models import LineCNNSettings


class LineCNN(LineModel):
    """A fully convolutional network: images (B, 1, H, W) float in [0, 1] to logits (B, C, S)."""

    width_multiple = WIDTH_MULTIPLES["cuda"]

    def __init__(self, num_classes: int, settings: LineCNNSettings, height: int = CELL) -> None:
        super().__init__()
        self.height = height
        self.windows = settings.windows
        d, fc_dim = settings.conv_dim, settings.fc_dim
        self.convs = nn.Sequential(
            *_block(1, d),
            *_block(d, d),
            *_block(d, d, stride=2),
            *_block(d, d),
            *_block(d, 2 * d, stride=2),
            *_block(2 * d, 2 * d),
            *_block(2 * d, 4 * d, stride=2),
            *_block(4 * d, 4 * d),
        )
        rows = height // 8
        self.window_conv = nn.Conv2d(
            4 * d, fc_dim, kernel_size=(rows, self.windows.width // 8), stride=(rows, self.windows.stride // 8)
        )
        self.fc1 = nn.Linear(fc_dim, fc_dim)
        self.relu = ReLU()
        self.dropout = Dropout(0.2)
        self.fc2 = nn.Linear(fc_dim, num_classes)
        self._initialize()

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """See `LineModel`."""
        if lengths is None:
            x = self.features(images)
        else:  # the background right of the lines is computed once
            x = blank_background.extend(self.features, images, self.windows, longest(lengths))
        x = self.relu(self.fc1(x.transpose(1, 2)))
        return dropout_linear(x, self.dropout, self.fc2).transpose(1, 2)

    def features(self, images: Tensor) -> Tensor:
        """Features (B, fc_dim, S) of images (B, 1, H, W)."""
        if conv_relu.applies(images):
            convs = [layer for layer in self.convs if isinstance(layer, nn.Conv2d)]
            return conv_relu.conv_relu(images, [*convs, self.window_conv]).squeeze(2)  # the same function, faster
        features: Tensor = self.relu(self.window_conv(self.convs(images)))
        return features.squeeze(2)

    def _initialize(self) -> None:
        """Draw Kaiming-normal weights by fan-out, as the lecture does; biases keep PyTorch's initialization."""
        for module in self.modules():
            # On the meta device there is nothing to draw, and drawing would take a second: it imports the compiler.
            if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight, a=0, mode="fan_out", nonlinearity="relu")


def _block(in_channels: int, out_channels: int, stride: int = 1) -> tuple[nn.Conv2d, ReLU]:
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1), ReLU()
