from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.common.errors import InputError
from pipeline.data.storage.lines import Lines
from pipeline.data.synthesis import synthesize as module
from pipeline.data.synthesis.synthesize import synthesize
from tests.archives import make_characters
from tests.data.synthesis.inputs import flat, line_settings

MANY = make_characters(5, seed=1)
WORDS = [
    "The",
    "Fulton",
    "County",
    "Grand",
    "Jury",
    "said",
    "Friday",
    "an",
    "investigation",
    "of",
    "Atlanta",
    "s",
    "recent",
    "primary",
    "election",
]


def test_a_corpus_of_long_words_is_refused_by_name() -> None:
    with pytest.raises(InputError) as error:
        list(synthesize(["incomprehensibilities"] * 3, MANY, line_settings(16), 1, np.random.default_rng(0)))
    assert str(error.value) == "lines: no word of the corpus has at most 14 characters; raise max_length"


def together(blocks: Sequence[Lines]) -> tuple[list[str], bytes, bytes, bytes]:
    parts = [[getattr(block, name) for block in blocks] for name in ("images", "starts", "widths")]
    texts = [text for block in blocks for text in block.texts]
    images, starts, widths = (np.concatenate(part).tobytes() for part in parts)
    return texts, images, starts, widths


def test_the_same_seed_gives_the_same_bytes() -> None:
    results = []
    for seed in (7, 7, 8):
        blocks = list(synthesize(WORDS, MANY, line_settings(), 20, np.random.default_rng(seed)))
        results.append(together(blocks))
    assert results[0] == results[1]
    assert all(one != other for one, other in zip(results[0], results[2], strict=True))


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
def test_lines_come_in_blocks(count: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 10)
    blocks = list(synthesize(WORDS, MANY, line_settings(), count, np.random.default_rng(0)))
    assert [len(block) for block in blocks] == sizes
    texts = [text for block in blocks for text in block.texts]
    assert len(set(texts)) > 1 or count == 1
    for block in blocks:
        assert block.images.shape == (len(block), 28, 896)
        for text, start, width in zip(block.texts, block.starts.tolist(), block.widths.tolist(), strict=True):
            assert 1 <= len(text) <= 30
            assert width == start[len(text) - 1] + 28
            assert not any(start[len(text) :])


def test_nothing_is_drawn_right_of_the_width() -> None:
    (block,) = synthesize(WORDS, flat(1), line_settings(), 50, np.random.default_rng(0))
    for image, width in zip(block.images, block.widths.tolist(), strict=True):
        assert not image[:, width:].any()
        assert image[:, width - 1].all()  # the corpus ends every word with a letter
