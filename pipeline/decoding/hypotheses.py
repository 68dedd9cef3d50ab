"""What a beam search is asked, and what it finds."""

from dataclasses import dataclass

from torch import Tensor

from pipeline.vocabulary import decode


@dataclass(frozen=True)
class Search:
    """How to search; without a weight the language model takes no part."""

    width: int
    candidates: int
    """The likeliest characters of each step that may come next."""
    weight: float = 0.0
    bonus: float = 0.0


@dataclass(frozen=True)
class Hypotheses:
    """K texts for each of B lines, the best first; what is beyond the texts that were found has score -inf."""

    classes: Tensor
    """(B, K, S) int64: class written at each step, `BLANK` where none."""
    ctc: Tensor
    """(B, K) log-probability, summed over the alignments that the search saw."""
    lm: Tensor
    """(B, K) log-probability of the language model, the line's end included; 0 without one."""
    lengths: Tensor
    """(B, K) characters."""

    def scores(self, weight: float, bonus: float) -> Tensor:
        """(B, K) what hypotheses compete by."""
        return self.ctc + weight * self.lm + bonus * self.lengths

    def text(self, line: int, rank: int) -> str:
        """One text."""
        return decode(self.classes[line, rank].tolist())
