"""PP-OCRv6's small recognizer: convolutions that reduce a line to one row, then two attention layers.

Source: PP-OCRv6 (arXiv 2606.13108). The batch norms of the convolutions are folded into them, as in the published ONNX
file.
"""

from torch import Tensor, nn

from pipeline.common.geometry import round_up
from pipeline.models.base import LineModel
from pipeline.models.layers.lengths import Lengths, longest
from pipeline.models.layers.light_svtr import LightSVTR
from pipeline.models.layers.own_width import OwnWidth
from pipeline.models.layers.ppocr_blocks import Block, Stem
from pipeline.settings.models import LinePPOCRSettings

HEIGHT = 48
"""Height of a line in pixels. No other height is possible."""
STRIDE = 8
"""Pixels of the network's own input for each step."""
FEATURES = 120
"""Features of a step."""
STEPS_MULTIPLE = 8
"""The number of steps is rounded up to a multiple of this, as oneDNN compiles its kernels for each width."""


class LinePPOCR(LineModel):
    """Images (B, 1, 48, W) float in [0, 1], ink bright, to logits (B, C, S), one step every 8 pixels.

    Small writing has characters that are narrower than that. `window_stride` gives them more steps: the line is widened
    first.
    """

    def __init__(self, num_classes: int, settings: LinePPOCRSettings, height: int = HEIGHT) -> None:
        super().__init__()
        self.height = height
        self.windows = settings.windows
        self.stem = Stem(48, 96)
        self.blocks = nn.ModuleList(
            [
                Block(96, squeeze=True),
                Block(96),
                Block(96),
                Block(96, 192),
                Block(192, squeeze=True),
                Block(192),
                Block(192, squeeze=True),
                Block(192),
                Block(192, squeeze=True),
                Block(192),
                Block(192, 384),
                Block(384, squeeze=True),
                Block(384),
            ]
        )
        self.pool = nn.AvgPool2d((3, 2))
        self.neck = LightSVTR(384, FEATURES, layers=2, heads=8)
        self.dropout = nn.Dropout(settings.dropout)
        self.fc = nn.Linear(FEATURES, num_classes)

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """See `LineModel`."""
        steps = self.windows.steps(images.shape[-1]) if lengths is None else longest(lengths)
        computed = steps if lengths is None else round_up(steps, STEPS_MULTIPLE)
        width = computed * self.windows.stride
        images = nn.functional.pad(images, (0, max(0, width - images.shape[-1])))[..., :width]
        own_width = OwnWidth(lengths, computed, images.device)
        if self.windows.stride != STRIDE:
            images = widen(own_width.clear_padding(images), self.windows.stride)
        # The published network reads dark ink on paper, with values in [-1, 1] and three equal colour channels.
        x = self.stem(1 - 2 * images, own_width)
        for block in self.blocks:
            x = block(x, own_width)
        x = self.pool(x).squeeze(2).transpose(1, 2)
        x = self.neck(x, own_width)
        logits: Tensor = self.fc(self.dropout(x[:, :steps]))
        return logits.transpose(1, 2)


def widen(images: Tensor, stride: int) -> Tensor:
    """Images (B, 1, H, W), of which `stride` columns become `STRIDE`. The paper goes on behind the right edge."""
    steps = images.shape[-1] // stride
    with_next_step = nn.functional.pad(images, (0, stride))
    size = (images.shape[-2], (steps + 1) * STRIDE)
    return nn.functional.interpolate(with_next_step, size, mode="bilinear")[..., : steps * STRIDE]
