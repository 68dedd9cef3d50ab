"""Invented results of experiments."""

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.report.analysis.results import Result
from pipeline.runtime.timings import Timing
from pipeline.settings.experiment import ExperimentSettings
from tests.tiny import tiny_model

SEED = 42
HISTORY = {"epoch": [0, 1], "train_loss": [3.0, 2.0], "val_loss": [3.5, 2.5], "val_cer": [0.9, 0.8]}


def make_result(
    texts: Sequence[str],
    predictions: Sequence[str],
    key: str = "mine",
    loss: str = "ce",
    lines: str = "own",
    history: Mapping[str, Sequence[float]] = HISTORY,
    **metrics: object,
) -> Result:
    """An experiment with these predictions for `texts`."""
    measured = {
        **{f"test_{name}": 0.5 for name in ("cer", "cer_lab", "wer", "exact", "accuracy", "accuracy_text")},
        **{"lines": len(texts), "parameters": 5678},
        **metrics,
    }
    experiment = ExperimentSettings(lines=lines, loss=loss, model=tiny_model("line_cnn_simple"))
    rows = pd.DataFrame(history).assign(seed=SEED)
    timings = [Timing({str(SEED): value}, "fp32", "x86_64") for value in (90.0, 1234.5)]
    return Result(key, experiment, measured, rows, list(texts), {SEED: list(predictions)}, *timings)
