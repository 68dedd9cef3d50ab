"""The one place where losses are named."""

from pipeline.common.vocabulary import Vocabulary
from pipeline.objectives.base import Objective
from pipeline.objectives.cross_entropy import CrossEntropy
from pipeline.objectives.ctc import CTC
from pipeline.settings.experiment import Loss


def build_objective(loss: Loss, vocabulary: Vocabulary, max_length: int, *, wrap: bool) -> Objective:
    """Build the objective named `loss`. See `Objective` for the arguments."""
    return {"ce": CrossEntropy, "ctc": CTC}[loss](vocabulary, max_length, wrap=wrap)
