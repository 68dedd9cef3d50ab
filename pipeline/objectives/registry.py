"""The one place where losses are named."""

from pipeline.objectives.base import Objective
from pipeline.objectives.cross_entropy import CrossEntropy
from pipeline.objectives.ctc import CTC
from pipeline.settings.experiment import Loss


def build_objective(loss: Loss, max_length: int, *, wrap: bool) -> Objective:
    """The objective called `loss`, for targets of `max_length` positions, wrapped in `<S>` `<E>` or not."""
    return {"ce": CrossEntropy, "ctc": CTC}[loss](max_length, wrap=wrap)
