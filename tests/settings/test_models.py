import pytest

from pipeline.common.errors import InputError
from pipeline.settings.base import validate
from pipeline.settings.experiment import ExperimentSettings


def test_the_last_level_is_as_fine_as_the_steps() -> None:
    model = {"name": "line_resnet_lstm", "window_stride": 4, "last_stride": 8}
    with pytest.raises(
        InputError, match=r"^params\.yaml: experiments\.x\.model: last_stride 8 must be at most window_stride 4$"
    ):
        validate(ExperimentSettings, {"lines": "x", "loss": "ctc", "model": model}, prefix=("experiments", "x"))


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ({"name": "line_resnet_transformer", "fc_dim": 10, "heads": 4}, "fc_dim 10 must be divisible by heads 4"),
        ({"name": "line_resnet_conformer", "fc_dim": 10, "heads": 4}, "fc_dim 10 must be divisible by heads 4"),
        ({"name": "line_resnet_lookalikes", "lstm_dim": 5}, "twice lstm_dim 5 must be divisible by heads 4"),
        ({"name": "line_resnet_conformer", "kernel": 4}, "kernel 4 must be odd"),
    ],
)
def test_sizes_must_go_together(model: dict[str, object], problem: str) -> None:
    block = {"lines": "x", "loss": "ctc", "model": model}
    with pytest.raises(InputError, match=rf"^params\.yaml: experiments\.x\.model: {problem}$"):
        validate(ExperimentSettings, block, prefix=("experiments", "x"))
