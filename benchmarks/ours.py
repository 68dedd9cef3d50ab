"""This project's own code, as the stages use it."""

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from benchmarks.inputs import BATCH, READ, Inputs
from benchmarks.peak import wait_for
from pipeline.common import vocabulary
from pipeline.data.loading.batches import Batch, WidthBatches, line_loader
from pipeline.data.synthesis.lines import synthesize
from pipeline.inference.evaluate import evaluate as evaluate_recognizer
from pipeline.inference.evaluate import rates
from pipeline.metrics.error_rates import edit_distances
from pipeline.models.checkpoint import RecognizerSettings
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import Arithmetic, choose_arithmetic, prepare_cpu
from pipeline.runtime.memory import KeptMemory
from pipeline.training.cuda_graphs import GraphedRecognizer
from pipeline.training.trainer import make_adam

BATCHES = 8
SYNTHESIS_BLOCKS = 40
"""Of 1,000 lines each."""
GPU_WARMUPS = 40
"""Rounds of training after which a GPU has most shapes of batches recorded."""
Run = Callable[[int], int]


def make_recognizer(inputs: Inputs, key: str) -> Recognizer:
    """A recognizer with fresh weights, in the layout that training uses."""
    experiment = inputs.experiment(key)
    lines = inputs.line_settings(experiment.lines)
    torch.manual_seed(inputs.seed)
    recognizer = RecognizerSettings(
        experiment.model, experiment.loss, lines.max_length, lines.with_start_end_tokens
    ).build()
    recognizer.model.to(inputs.device, memory_format=torch.channels_last)
    return recognizer


def arithmetic_on(device: str) -> Arithmetic:
    """What training on this machine's `cpu` or `cuda` uses."""
    return choose_arithmetic("auto", device)


def training_step(
    recognizer: Recognizer, optimizer: torch.optim.Optimizer, batch: Batch, arithmetic: Arithmetic
) -> None:
    """Forward, loss, backward and update, on the device that `batch` and recognizer are on."""
    with arithmetic.autocast():
        (*_, logits), lengths = recognizer.logits_by_depth(batch.images, batch.widths)
        loss = recognizer.objective.loss(logits, lengths, batch.texts)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def graphed(recognizer: Recognizer) -> Recognizer:
    """The same, as it trains: a GPU replays its steps."""
    return GraphedRecognizer(recognizer.model, recognizer.objective)


def train(
    inputs: Inputs, key: str, batch_size: int = BATCH, prepare: Callable[[Recognizer], Recognizer] = graphed
) -> Run:
    """Training steps on the shuffled batches of successive epochs, of what `prepare` makes of the recognizer."""
    prepare_cpu()
    recognizer = prepare(make_recognizer(inputs, key))
    lines = inputs.lines(inputs.experiment(key).lines, "train")
    optimizer = make_adam(recognizer.model.parameters(), 1e-3)
    recognizer.model.train()
    arithmetic = arithmetic_on(inputs.device)

    def epochs() -> Iterator[Batch]:
        for epoch in range(10**6):
            yield from line_loader(lines, WidthBatches(lines.widths, batch_size, np.random.default_rng([0, epoch])))

    batches, kept = epochs(), KeptMemory()

    def run(_round: int) -> int:
        done = 0
        for _ in range(BATCHES):
            batch = next(batches).to(torch.device(inputs.device))
            training_step(recognizer, optimizer, batch, arithmetic)
            kept.bound()
            done += len(batch.texts)
        wait_for(inputs.device)
        return done

    return run


def synthesis(inputs: Inputs) -> Run:
    """Lines of the data set `variable`, drawn and dropped; the warm-up sets up what is needed once."""
    settings, rng = inputs.line_settings("variable"), np.random.default_rng(inputs.seed)
    blocks = synthesize(inputs.words, inputs.characters, settings, 10**9, rng)

    def run(_round: int) -> int:
        return sum(len(block) for block in islice(blocks, SYNTHESIS_BLOCKS))

    return run


def decode_and_cer(inputs: Inputs) -> Run:
    """Logits of all test lines to texts and their character error rate."""

    def error_rate(_recognizer: Recognizer, readings: list[str], texts: list[str], _rows: Tensor) -> None:
        edit_distances(readings, texts).sum() / sum(map(len, texts))

    return _decode_and(error_rate, inputs)


def decode_and_all_rates(inputs: Inputs) -> Run:
    """Logits of all test lines to texts and what evaluation says of them."""
    return _decode_and(rates, inputs)


def _decode_and(compare: Callable[[Recognizer, list[str], list[str], Tensor], object], inputs: Inputs) -> Run:
    """Logits to texts, then what `compare` makes of recognizer, readings, texts and class indices."""
    prepare_cpu()
    recognizer, lines = make_recognizer(inputs, READ), inputs.lines("variable", "test")
    lengths = recognizer.objective.lengths(recognizer.model.windows, lines.widths.tolist())
    logits = inputs.ctc_logits(lines, recognizer.model.windows.steps(lines.images.shape[2]))

    def run(_round: int) -> int:
        rows = recognizer.objective.decode(logits, lengths)
        compare(recognizer, vocabulary.decode_rows(rows.numpy()), lines.texts, rows)
        return len(lines)

    return run


def evaluate(inputs: Inputs) -> Run:
    """All test lines, from pixels in memory to rates."""
    prepare_cpu()
    recognizer, lines = make_recognizer(inputs, READ), inputs.lines("variable", "test")
    arithmetic = arithmetic_on(inputs.device)

    def run(_round: int) -> int:
        evaluate_recognizer(recognizer, lines, batch_size=BATCH, arithmetic=arithmetic)
        return len(lines)

    return run
