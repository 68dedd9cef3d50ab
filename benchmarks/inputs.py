"""The data of all measurements: lines, characters and text that the pipeline made."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.common.vocabulary import BLANK, EMNIST, PADDING
from pipeline.data.storage.characters import Characters, read_characters
from pipeline.data.storage.corpus import read_corpus
from pipeline.data.storage.line_store import read_lines
from pipeline.data.storage.lines import Lines
from pipeline.settings.base import read_section
from pipeline.settings.experiment import ExperimentSettings
from pipeline.settings.lines import LinesSettings

BATCH = 128
EXPERIMENTS = {
    "train line_cnn ctc": "cnn_ctc_variable",
    "train line_cnn_lstm ctc": "lstm_ctc_variable",
    "train line_cnn_simple ce": "simple_ce_aligned",
}
READ = EXPERIMENTS["train line_cnn ctc"]
"""The experiment of decoding, evaluation and growth."""


@dataclass(frozen=True)
class Inputs:
    """Files of the project in the working folder."""

    seed: int = 0
    device: str = "cpu"
    """`cpu` or `cuda`."""

    def experiment(self, key: str) -> ExperimentSettings:
        """Read the settings of an experiment."""
        return read_section(ExperimentSettings, "experiments", key)

    def lines(self, name: str, part: str) -> Lines:
        """Read one part of a data set of lines."""
        return read_lines(Path(f"data/lines/{name}.h5"), part)

    def line_settings(self, name: str) -> LinesSettings:
        """Read the settings of a data set of lines."""
        return read_section(LinesSettings, "lines", name)

    @cached_property
    def characters(self) -> Characters:
        """The training characters."""
        return read_characters(Path("data/characters.h5"), "train")

    @cached_property
    def words(self) -> Sequence[str]:
        """The training text."""
        return read_corpus(Path("data/corpus.json"), "train")

    def labels(self, lines: Lines) -> NDArray[np.uint8]:
        """Class indices (N, T), padded with `<P>`."""
        return EMNIST.encode_padded(lines.texts, lines.starts.shape[1])

    def ctc_logits(self, lines: Lines, steps: int) -> Tensor:
        """Make logits (N, C, S) whose best classes are nearly right: one step in ten is noise.

        The classes of a step are adjacent in memory, as in the output of the models.
        """
        rng = np.random.default_rng(self.seed)
        best = np.full((len(lines), steps), BLANK)
        labels = self.labels(lines)
        for column in range(min(labels.shape[1], steps // 2)):
            best[:, 2 * column] = np.where(labels[:, column] == PADDING, BLANK, labels[:, column])
        noise = rng.random(best.shape) < 0.1
        best[noise] = rng.integers(EMNIST.num_classes, size=int(noise.sum()))
        logits = torch.from_numpy(rng.random((len(lines), steps, EMNIST.num_classes), dtype=np.float32))
        return logits.scatter_(2, torch.from_numpy(best)[..., None], 5.0).to(self.device).transpose(1, 2)
