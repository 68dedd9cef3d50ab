"""What the models have in common that read on from a residual network."""

from abc import abstractmethod

from torch import Tensor, nn

from pipeline.kernels.dropout import Dropout
from pipeline.models.base import LineModel
from pipeline.models.layers.lengths import Lengths
from pipeline.models.line_resnet import RASTER, LineResNet


class LineResNetModel(LineModel):
    """A residual network whose features other layers read on."""

    raster = RASTER
    """Blank paper has a part in what batch norm measures: no more of it than is computed anyway."""
    fc: nn.Linear
    """From what reads on to logits (B, S, C)."""
    intermediate: nn.Linear | None
    """From features to logits (B, S, C), for training; None where those are not wanted."""

    def __init__(self, line_resnet: LineResNet, dropout: float) -> None:
        super().__init__()
        self.line_resnet = line_resnet
        self.windows = line_resnet.windows
        self.dropout = Dropout(dropout)

    def add_logits(self, num_classes: int, width: int, *, intermediate: bool) -> None:
        """The layers that end in logits, after all others: a seed draws weights in the order in which layers are made.

        What reads on ends with `width` numbers for each step.
        """
        self.fc = nn.Linear(width, num_classes)
        self.intermediate = nn.Linear(self.line_resnet.features, num_classes) if intermediate else None

    def forward(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """See `LineModel`."""
        return self.read_on(self.line_resnet(images, lengths), lengths)

    def logits_by_depth(self, images: Tensor, lengths: Lengths | None = None) -> list[Tensor]:
        """See `LineModel`; those from the ResNet's features come first if they are wanted."""
        features = self.line_resnet(images, lengths)
        inner = [self.intermediate(features).transpose(1, 2)] if self.intermediate else []
        return [*inner, self.read_on(features, lengths)]

    @abstractmethod
    def read_on(self, features: Tensor, lengths: Lengths | None) -> Tensor:
        """Features (B, S, F) to logits (B, C, S), each line as if it were alone."""
