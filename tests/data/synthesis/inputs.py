"""Settings and characters that the tests of synthesis share."""

import numpy as np

from pipeline.data.storage.characters import Characters
from pipeline.settings.lines import LinesSettings


def line_settings(
    max_length: int = 32, overlaps: tuple[float, float] = (0.0, 0.33), overlap_per: str = "character"
) -> LinesSettings:
    return LinesSettings.model_validate(
        {
            "max_length": max_length,
            "min_overlap": overlaps[0],
            "max_overlap": overlaps[1],
            "overlap_per": overlap_per,
            "with_start_end_tokens": False,
            "train": 1,
            "validation": 1,
            "test": 1,
            "seed": 0,
        }
    )


def flat(ink: int) -> Characters:
    """Every character a full square of one grey."""
    return Characters(np.full((62, 28, 28), ink, np.uint8), np.arange(62, dtype=np.uint8))
