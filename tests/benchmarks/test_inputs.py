import numpy as np

from benchmarks.inputs import Inputs
from pipeline.common.vocabulary import EMNIST
from pipeline.data.storage.lines import Lines
from pipeline.metrics.error_rates import edit_distances
from pipeline.objectives.ctc import CTC

TEXTS = ["Who's there?", "aardvark", "a", "the book keeper"] * 50


def test_logits_have_the_layout_of_models_and_are_nearly_right() -> None:
    count = len(TEXTS)
    images, widths = np.zeros((count, 28, 1), dtype=np.uint8), np.ones(count, dtype=np.uint16)
    starts, numbers = np.zeros((count, 32), dtype=np.uint16), np.zeros((count, 32), dtype=np.int32)
    logits = Inputs().ctc_logits(Lines(images, TEXTS, widths, starts, numbers), 55)
    assert logits.shape == (count, EMNIST.num_classes, 55)
    assert logits.stride(1) == 1
    predictions = EMNIST.decode_rows(CTC(EMNIST, 32).decode(logits, [2 * len(text) for text in TEXTS]).numpy())
    # One in ten steps is noise, and each character has two steps.
    assert 0.1 < edit_distances(predictions, TEXTS).sum() / sum(map(len, TEXTS)) < 0.3
