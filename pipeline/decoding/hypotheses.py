"""What a beam search is asked, and what it finds."""

from dataclasses import dataclass

from torch import Tensor

from pipeline.common.vocabulary import decode


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

    @property
    def weights(self) -> dict[str, float]:
        """What is tuned, by the names that metrics have for it."""
        return {"lm_weight": self.weight, "length_bonus": self.bonus, "prior_weight": self.prior}


@dataclass(frozen=True)
class Hypotheses:
    """K texts for each of B lines, the best first; what is beyond the texts that were found has score -inf."""

    classes: Tensor
    """(B, K, S) int64: class written at each step, `BLANK` where none."""
    ctc: Tensor
    """(B, K) log-probability, summed over the alignments that the search saw."""
    lm: Tensor
    """(B, K) log-probability of the language model, the line's end included; 0 without one."""
    rewards: Tensor
    """(B, K) what the text's characters add to its score, each by itself."""

    def scores(self, weight: float) -> Tensor:
        """(B, K) what hypotheses compete by, with that weight of the language model."""
        return self.ctc + weight * self.lm + self.rewards

    def text(self, line: int, rank: int) -> str:
        """One text."""
        return decode(self.classes[line, rank].tolist())
