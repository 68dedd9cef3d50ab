"""Rows of a language model that are computed once for each context: the hypotheses of a beam share most of them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.ngrams import SYMBOLS

LIMIT = 2**17
"""Contexts beyond which all are forgotten; 80 MB."""


class RowCache:
    """Log-probabilities of the next symbol by context, on the CPU in double precision."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self._forget()

    def __call__(self, contexts: Tensor) -> tuple[Tensor, Tensor]:
        """A table (M, SYMBOLS), and for `contexts` of any shape the row of each; both hold until the next call."""
        needed, which = np.unique(contexts.numpy().ravel(), return_inverse=True)
        missing = needed[~self._known(needed)]
        if len(self.contexts) + len(missing) > LIMIT:
            self._forget()
            missing = needed
        if len(missing):
            self._learn(missing)
        rows = self.places[np.searchsorted(self.contexts, needed)][which]
        return torch.from_numpy(self.table), torch.from_numpy(rows).reshape(contexts.shape)

    def _forget(self) -> None:
        self.contexts = np.zeros(0, dtype=np.int64)
        self.places = np.zeros(0, dtype=np.int64)
        self.table = np.zeros((0, SYMBOLS))

    def _known(self, contexts: NDArray[np.int64]) -> NDArray[np.bool_]:
        places = np.searchsorted(self.contexts, contexts)
        inside = places < len(self.contexts)
        inside[inside] = self.contexts[places[inside]] == contexts[inside]
        return inside

    def _learn(self, contexts: NDArray[np.int64]) -> None:
        """Add contexts that are not known yet; `contexts` ascend."""
        first, free = len(self.contexts), len(self.table)
        while free < first + len(contexts):
            free = max(2 * free, 1024)
        if free > len(self.table):
            self.table = np.concatenate((self.table, np.zeros((free - len(self.table), SYMBOLS))))
        self.table[first : first + len(contexts)] = self.model.log_probabilities(contexts)
        spots = np.searchsorted(self.contexts, contexts)
        self.places = np.insert(self.places, spots, np.arange(first, first + len(contexts)))
        self.contexts = np.insert(self.contexts, spots, contexts)
