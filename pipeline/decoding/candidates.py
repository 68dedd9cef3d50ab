"""The texts that a beam search finds for many lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.common.progress import progress_bar
from pipeline.decoding.beam_search import beam_search
from pipeline.decoding.hypotheses import SearchSettings
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.posteriors import Posteriors


@dataclass(frozen=True)
class Candidates:
    """Up to K texts for each of N lines, best first."""

    texts: list[list[str]]
    scores: NDArray[np.float64]
    """(N, K) scores by which they are ranked; -inf where there is no text."""

    @property
    def best(self) -> list[str]:
        """The prediction for each line."""
        return [texts[0] for texts in self.texts]


def search_lines(
    posteriors: Posteriors, settings: SearchSettings, lm: LanguageModelCache | None, keep: int | None = None
) -> Candidates:
    """Search all lines; keep the best `keep` texts of each, or all."""
    keep = min(keep or settings.width, settings.width)
    texts: list[list[str]] = [[]] * len(posteriors)
    scores = np.full((len(posteriors), keep), -np.inf)
    # leave=None: below another bar, this one goes when it is done.
    with progress_bar(desc="searching", total=len(posteriors), unit="line", leave=None) as bar:
        for lines, log_probabilities, lengths in posteriors.batches():
            found = beam_search(log_probabilities, lengths, settings, lm)
            scores[lines] = found.scores(settings.lm_weight)[:, :keep].numpy()
            for position, line in enumerate(lines):
                count = max(1, int(np.isfinite(scores[line]).sum()))
                texts[line] = [found.text(position, rank, posteriors.vocabulary) for rank in range(count)]
            bar.update(len(lines))
    return Candidates(texts, scores)


def search_predictions(
    posteriors: Posteriors, settings: SearchSettings, lm: LanguageModelCache | None
) -> Sequence[str]:
    """Only the best text of each line."""
    return search_lines(posteriors, settings, lm, keep=1).best
