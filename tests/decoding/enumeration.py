"""CTC and n-grams by brute force: every path, every text, every position of a text."""

from collections import Counter, defaultdict
from functools import cache
from itertools import groupby, product

import numpy as np
from numpy.typing import NDArray

from pipeline.common.vocabulary import BLANK, EMNIST, SPECIAL_TOKENS
from pipeline.decoding.language_model.model import discounts
from pipeline.decoding.language_model.ngrams import Symbols

SYMBOLS = Symbols(EMNIST)

LOG_ZERO = -1e9
"""Log-probability of what these tests rule out: finite, as a model's is."""


def noise_steps(seed: int, steps: int, alphabet: str, sharpness: float = 1.5) -> NDArray[np.float64]:
    """Log-probabilities (C, S) of random steps that write the blank or a character of `alphabet`."""
    rng = np.random.default_rng(seed)
    logits = np.full((EMNIST.num_classes, steps), LOG_ZERO)
    classes = [BLANK, *EMNIST.encode(alphabet)]
    logits[classes] = rng.normal(size=(len(classes), steps)) * sharpness
    return np.asarray(logits - np.log(np.exp(logits).sum(0)))


def collapse_text(path: tuple[int, ...]) -> str:
    """Repeats collapsed, then blanks dropped."""
    return "".join(EMNIST.tokens[c] for c, _ in groupby(path) if c != BLANK)


def all_paths(steps: NDArray[np.float64], alphabet: str) -> dict[tuple[int, ...], float]:
    """The log-probability of every path."""
    classes = [BLANK, *map(int, EMNIST.encode(alphabet))]
    return {
        path: float(sum(steps[c, s] for s, c in enumerate(path))) for path in product(classes, repeat=steps.shape[1])
    }


def all_texts(steps: NDArray[np.float64], alphabet: str) -> dict[str, float]:
    """The log-probability of every text, summed over its paths."""
    sums: defaultdict[str, float] = defaultdict(lambda: -np.inf)
    for path, probability in all_paths(steps, alphabet).items():
        sums[collapse_text(path)] = float(np.logaddexp(sums[collapse_text(path)], probability))
    return dict(sums)


def greedy_text(steps: NDArray[np.float64]) -> str:
    """The text of the likeliest path."""
    return collapse_text(tuple(steps.argmax(0).tolist()))


class WittenBell:
    """The definition, on strings."""

    def __init__(self, text: str, order: int, symbols: int = SYMBOLS.count) -> None:
        framed = f" {text} "
        self.order = order
        self.symbols = symbols
        self.followers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for at, character in enumerate(framed):
            for length in range(min(order - 1, at) + 1):
                self.followers[framed[at - length : at]][character] += 1
        self.probability = cache(self.probability)  # type: ignore[method-assign]

    def probability(self, character: str, context: str) -> float:
        """p(character | context), the context as long as it may be."""
        shorter = self.probability(character, context[1:]) if context else 1 / self.symbols
        found = self.followers.get(context)
        if not found:
            return shorter
        return (found[character] + len(found) * shorter) / (found.total() + len(found))

    def score(self, text: str) -> float:
        """Log-probability of a line between boundaries."""
        framed = f" {text} "
        context = [framed[max(0, at - self.order + 1) : at] for at in range(1, len(framed))]
        return float(sum(np.log(self.probability(c, h)) for c, h in zip(framed[1:], context, strict=True)))


class KneserNey(WittenBell):
    """The definition, on strings, with Chen and Goodman's three discounts."""

    def __init__(self, text: str, order: int) -> None:
        super().__init__(text, order)
        self.after: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for longer, followers in self.followers.items():
            if longer:
                self.after[longer[1:]].update(followers.keys())

    def probability(self, character: str, context: str, whole: bool = True) -> float:
        """p(character | context), which is the `whole` context or the end of a longer one."""
        shorter = self.probability(character, context[1:], False) if context else 1 / SYMBOLS.count
        tables = self.followers if whole else self.after
        if not (found := tables.get(context)):
            return shorter
        counts = [count for h, table in tables.items() if len(h) == len(context) for count in table.values()]
        taken = discounts(np.array(counts, dtype=np.uint32))
        set_aside = sum(taken[min(count, 3)] for count in found.values())
        return float((found[character] - taken[min(found[character], 3)] + set_aside * shorter) / found.total())


assert len(SPECIAL_TOKENS) + len(EMNIST.characters) == EMNIST.num_classes
