import pytest

from pipeline.common.vocabulary import EMNIST
from pipeline.objectives.base import Objective
from pipeline.objectives.cross_entropy import CrossEntropy
from pipeline.objectives.ctc import CTC
from pipeline.objectives.registry import build_objective


@pytest.mark.parametrize(("name", "kind"), [("ce", CrossEntropy), ("ctc", CTC)])
def test_losses_by_name(name: str, kind: type[Objective]) -> None:
    objective = build_objective(name, EMNIST, 7, wrap=True)  # type: ignore[arg-type]
    assert type(objective) is kind
    assert (objective.max_length, objective.wrap) == (7, True)
