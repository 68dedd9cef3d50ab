"""What every line model has in common."""

from torch import Tensor, nn

from pipeline.common.geometry import Windows
from pipeline.models.layers.lengths import Lengths


class LineModel(nn.Module):
    """Images (B, 1, 28, W) float in [0, 1] to logits (B, C, S), one step for each of its windows."""

    windows: Windows
    """Where the steps look; decides S."""
    raster: int | None = None
    """Pixels between the widths that a GPU records a training's passes for (`pipeline.training.cuda_graphs`).

    None where they cannot be: what is computed depends on values, or is awaited by the program.
    """

    def __call__(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """Logits at every step of the image, or at `max(lengths)` steps as if blank paper went on.

        With `lengths`, B numbers of steps, each line is read as if it were alone: the steps of a line
        past its own length mean nothing and do not touch the others. Subclasses define `forward`.
        """
        logits: Tensor = super().__call__(images, lengths)
        return logits

    def logits_by_depth(self, images: Tensor, lengths: Lengths | None = None) -> list[Tensor]:
        """Logits for training: the model's own last, before them any that its later layers read on from.

        Models whose settings have `intermediate` override it. Source: Lee and Watanabe, "Intermediate Loss
        Regularization for CTC-based Speech Recognition", ICASSP 2021.
        """
        return [self(images, lengths)]
