"""A cache for the language model: hypotheses share most contexts, so each is computed once."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.decoding.language_model.model import LanguageModel

LIMIT = 2**17 * 79
"""Log-probabilities beyond which the cache is cleared; 80 MB."""


class LanguageModelCache:
    """Log-probabilities of the next symbol by context, on the CPU in double precision."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self._clear()

    def look_up(self, contexts: Tensor) -> tuple[Tensor, Tensor]:
        """A table (M, symbols), and its row for each of `contexts`, of any shape; valid until the next call."""
        needed, inverse = np.unique(contexts.numpy().ravel(), return_inverse=True)
        missing = needed[~self._is_known(needed)]
        if (len(self.contexts) + len(missing)) * self.model.symbols.count > LIMIT:
            self._clear()
            missing = needed
        if len(missing):
            self._add(missing)
        rows = self.rows[np.searchsorted(self.contexts, needed)][inverse]
        return torch.from_numpy(self.table), torch.from_numpy(rows).reshape(contexts.shape)

    def _clear(self) -> None:
        self.contexts = np.zeros(0, dtype=np.int64)
        self.rows = np.zeros(0, dtype=np.int64)
        self.table = np.zeros((0, self.model.symbols.count))

    def _is_known(self, contexts: NDArray[np.int64]) -> NDArray[np.bool_]:
        positions = np.searchsorted(self.contexts, contexts)
        known = positions < len(self.contexts)
        known[known] = self.contexts[positions[known]] == contexts[known]
        return known

    def _add(self, contexts: NDArray[np.int64]) -> None:
        """Compute contexts that are not known yet; `contexts` are ascending."""
        first, capacity = len(self.contexts), len(self.table)
        while capacity < first + len(contexts):
            capacity = max(2 * capacity, 1024)
        if capacity > len(self.table):
            self.table = np.concatenate((self.table, np.zeros((capacity - len(self.table), self.table.shape[1]))))
        self.table[first : first + len(contexts)] = self.model.log_probabilities(contexts)
        positions = np.searchsorted(self.contexts, contexts)
        self.rows = np.insert(self.rows, positions, np.arange(first, first + len(contexts)))
        self.contexts = np.insert(self.contexts, positions, contexts)
