"""The texts that a beam search found for many lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.decoding.beam_search import beam_search
from pipeline.decoding.hypotheses import Search
from pipeline.decoding.language_model.cache import RowCache
from pipeline.decoding.posteriors import Posteriors


@dataclass(frozen=True)
class Candidates:
    """K texts for each of N lines, the best first; fewer where the search found fewer."""

    texts: list[list[str]]
    scores: NDArray[np.float64]
    """(N, K) what they compete by; -inf where there is no text."""

    @property
    def best(self) -> list[str]:
        """The readings."""
        return [texts[0] for texts in self.texts]


def search_lines(posteriors: Posteriors, search: Search, rows: RowCache | None, keep: int | None = None) -> Candidates:
    """Search all lines, and keep so many of the texts of each, or all."""
    keep = min(keep or search.width, search.width)
    texts: list[list[str]] = [[]] * len(posteriors)
    scores = np.full((len(posteriors), keep), -np.inf)
    for lines, log_probabilities, lengths in posteriors.batches():
        found = beam_search(log_probabilities, lengths, search, rows)
        scores[lines] = found.scores(search.weight)[:, :keep].numpy()
        for place, line in enumerate(lines):
            count = max(1, int(np.isfinite(scores[line]).sum()))
            texts[line] = [found.text(place, rank) for rank in range(count)]
    return Candidates(texts, scores)


def readings(posteriors: Posteriors, search: Search, rows: RowCache | None) -> Sequence[str]:
    """The best text of each line alone."""
    return search_lines(posteriors, search, rows, keep=1).best
