"""The one place where losses are named."""

from pipeline.objectives.base import Objective
from pipeline.objectives.cross_entropy import CrossEntropy
from pipeline.objectives.ctc import CTC
from pipeline.settings.experiment import Loss


def build_objective(loss: Loss, max_length: int, *, wrap: bool) -> Objective:
    """Build the objective named `loss`. See `Objective` for `max_length` and `wrap`."""
    return {"ce": CrossEntropy, "ctc": CTC}[loss](max_length, wrap=wrap)
