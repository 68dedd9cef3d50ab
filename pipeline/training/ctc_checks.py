"""Two problems that only CTC has: lines too short for their text, and models that predict only blanks."""

from collections.abc import Sequence

import pandas as pd

from pipeline.common.errors import InputError
from pipeline.models.recognizer import Recognizer
from pipeline.objectives.ctc import required_steps

MAX_TOO_SHORT = 0.01
"""Fraction of the lines that may be too short for CTC."""
ONLY_BLANKS = 0.999
"""A model with at least this fraction of blank steps counts as predicting only blanks."""
USUAL_PLATEAU = 400
"""Steps in which a CTC model may predict only blanks, as all do at first. The shipped models take 80 to 160."""


def require_fitting(recognizer: Recognizer, texts: Sequence[str], widths: Sequence[int]) -> None:
    """Check that lines have enough steps for their characters, and for the blanks between repeated ones.

    A few may not: running text has a "400000" now and then that fits no stride. Their loss is 0, and one is printed.

    Raises:
        InputError: too many lines are too short.
    """
    objective, windows = recognizer.objective, recognizer.model.windows
    steps = objective.lengths(windows, widths)
    needed = [required_steps(text, wrap=objective.wrap) for text in texts]
    too_short = [line for line in range(len(texts)) if steps[line] < needed[line]]
    if not too_short:
        return
    line = too_short[0]
    example = (
        f"{texts[line]!r} and its repeats need {needed[line]} steps; it is {widths[line]} pixels wide, which makes "
        f"S = {steps[line]} with windows of {windows.width} every {windows.stride} pixels"
    )
    if len(too_short) > MAX_TOO_SHORT * len(texts):
        raise InputError(
            f"experiments: CTC cannot fit {len(too_short):,} of {len(texts):,} lines: {example}; "
            f"choose a smaller window_stride"
        )
    print(f"train: {len(too_short):,} of {len(texts):,} lines teach nothing, as CTC cannot fit them: {example}")


def describe_blanks(history: pd.DataFrame) -> str | None:
    """One line of advice if the model with the lowest validation loss predicts only blanks, else None."""
    best = history.sort_values("val_loss").iloc[0]
    if best.get("val_blank_share", 0.0) < ONLY_BLANKS:
        return None
    steps = int(history["step"].iloc[-1])
    advice = (
        f"usual up to about {USUAL_PLATEAU} steps at batches of 128: give it more epochs or a smaller batch_size"
        if steps < USUAL_PLATEAU
        else f"it is usual only up to about {USUAL_PLATEAU} steps: another learning_rate or seed may help"
    )
    return f"the model predicts only blanks after {steps} steps; {advice}"
