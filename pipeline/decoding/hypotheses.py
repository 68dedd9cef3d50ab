"""The settings of a beam search and its results."""

from dataclasses import dataclass

from torch import Tensor

from pipeline.common.vocabulary import Vocabulary


@dataclass(frozen=True)
class SearchSettings:
    """How to search. With all weights 0 the language model has no effect."""

    width: int
    """Hypotheses kept per line."""
    candidates: int
    """Most likely characters of each step that may extend a hypothesis."""
    lm_weight: float = 0.0
    length_bonus: float = 0.0
    prior_weight: float = 0.0

    @property
    def weights(self) -> dict[str, float]:
        """The tuned values, by their names in the metrics."""
        return {name: getattr(self, name) for name in ("lm_weight", "length_bonus", "prior_weight")}


@dataclass(frozen=True)
class Hypotheses:
    """K texts for each of B lines, best first. Where a line has fewer than K, the rest have score -inf."""

    classes: Tensor
    """(B, K, S) int64: class written at each step, `BLANK` for none."""
    ctc: Tensor
    """(B, K) CTC log-probability, summed over the alignments that the search kept."""
    lm: Tensor
    """(B, K) language model log-probability, including the end of the line; 0 without a language model."""
    rewards: Tensor
    """(B, K) sum of length bonus and prior over the characters."""

    def scores(self, lm_weight: float) -> Tensor:
        """(B, K) scores by which the hypotheses are ranked."""
        return self.ctc + lm_weight * self.lm + self.rewards

    def text(self, line: int, rank: int, vocabulary: Vocabulary) -> str:
        """The text of one hypothesis."""
        return vocabulary.decode(self.classes[line, rank].tolist())
