"""What a beam search is asked, and what it finds."""

from dataclasses import dataclass

from torch import Tensor

from pipeline.vocabulary import decode


@dataclass(frozen=True)
class Search:
    """How to search; without weights the language model takes no part."""

    width: int
    candidates: int
    """The likeliest characters of each step that may come next."""
    weight: float = 0.0
    bonus: float = 0.0
    prior: float = 0.0
    """Weight of what is taken off for how common characters are by themselves."""

    def added(self, lm: Tensor, prior: Tensor, lengths: Tensor) -> Tensor:
        """What a text's score has beside its CTC log-probability; all of the same shape."""
        return self.weight * lm - self.prior * prior + self.bonus * lengths


@dataclass(frozen=True)
class Hypotheses:
    """K texts for each of B lines, the best first; what is beyond the texts that were found has score -inf."""

    classes: Tensor
    """(B, K, S) int64: class written at each step, `BLANK` where none."""
    ctc: Tensor
    """(B, K) log-probability, summed over the alignments that the search saw."""
    lm: Tensor
    """(B, K) log-probability of the language model, the line's end included; 0 without one."""
    prior: Tensor
    """(B, K) log-probability of the text's characters, each by itself; 0 without a language model."""
    lengths: Tensor
    """(B, K) characters."""

    def scores(self, search: Search) -> Tensor:
        """(B, K) what hypotheses compete by."""
        return self.ctc + search.added(self.lm, self.prior, self.lengths)

    def text(self, line: int, rank: int) -> str:
        """One text."""
        return decode(self.classes[line, rank].tolist())
