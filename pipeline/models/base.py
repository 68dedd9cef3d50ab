"""What all line models share."""

from torch import Tensor, nn

from pipeline.common.geometry import Windows
from pipeline.models.layers.lengths import Lengths


class LineModel(nn.Module):
    """Images (B, 1, H, W) float in [0, 1] to logits (B, C, S), one step for each window."""

    windows: Windows
    """The geometry of the steps; decides S."""
    height: int
    """H, the height of the images in pixels."""
    width_multiple: int | None = None
    """A GPU trains on widths that are multiples of this, so that few CUDA graphs serve all batches.

    None for a model that CUDA graphs cannot record: its operations depend on values, or the program waits for some.
    """

    def __call__(self, images: Tensor, lengths: Lengths | None = None) -> Tensor:
        """Logits at every step of the images, or, with `lengths`, at `max(lengths)` steps. Subclasses define `forward`.

        `lengths` are B numbers of steps. With them the background right of the images goes on without end, and each
        line is computed as if it were alone. Steps past a line's own length have no meaning and do not change other
        steps.
        """
        logits: Tensor = super().__call__(images, lengths)
        return logits

    def logits_by_depth(self, images: Tensor, lengths: Lengths | None = None) -> list[Tensor]:
        """Logits for training: intermediate ones first if the model has any, and its own logits last.

        Models whose settings have `intermediate` override it. Source: Lee and Watanabe, "Intermediate Loss
        Regularization for CTC-based Speech Recognition", ICASSP 2021.
        """
        return [self(images, lengths)]
