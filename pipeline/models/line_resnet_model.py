"""What the models have in common that read on from a residual network."""

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from pipeline.models.base import LineModel
from pipeline.models.line_resnet import LineResNet


class LineResNetModel(LineModel):
    """A residual network whose features other layers read on."""

    line_resnet: LineResNet
    intermediate: nn.Linear | None
    """From features to logits (B, S, C), for training; None where those are not wanted."""

    def forward(self, images: Tensor, lengths: Sequence[int] | None = None) -> Tensor:
        """See `LineModel`."""
        return self.read_on(self.line_resnet(images, lengths), lengths)

    def logits_by_depth(self, images: Tensor, lengths: Sequence[int] | None = None) -> list[Tensor]:
        """See `LineModel`; those from the ResNet's features come first if they are wanted."""
        features = self.line_resnet(images, lengths)
        inner = [self.intermediate(features).transpose(1, 2)] if self.intermediate else []
        return [*inner, self.read_on(features, lengths)]

    @abstractmethod
    def read_on(self, features: Tensor, lengths: Sequence[int] | None) -> Tensor:
        """Features (B, S, F) to logits (B, C, S), each line as if it were alone."""
