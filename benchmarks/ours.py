"""This project's code, called as the stages call it."""

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from benchmarks.inputs import BATCH, READ, Inputs
from benchmarks.peak import wait_for
from pipeline.common.vocabulary import EMNIST
from pipeline.data.loading.batches import Batch, LineDataset, WidthBatches, line_loader
from pipeline.data.synthesis.synthesize import synthesize
from pipeline.inference.evaluate import compute_rates
from pipeline.inference.evaluate import evaluate as evaluate_recognizer
from pipeline.metrics.error_rates import edit_distances
from pipeline.models.checkpoint import RecognizerSettings
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import ComputeConfig, choose_compute_config, prepare_cpu
from pipeline.runtime.memory import MemoryTrimmer
from pipeline.training.cuda_graphs import GraphedRecognizer
from pipeline.training.optimizers import make_adam

BATCHES = 8
SYNTHESIS_BLOCKS = 40
"""Blocks of 1,000 lines in a round."""
GPU_WARMUPS = 40
"""Rounds of training after which CUDA graphs of most batch shapes are recorded."""
Run = Callable[[int], int]


def make_recognizer(inputs: Inputs, key: str) -> Recognizer:
    """Make a recognizer with new weights in the memory layout of training."""
    experiment = inputs.experiment(key)
    lines = inputs.line_settings(experiment.lines)
    torch.manual_seed(inputs.seed)
    recognizer = RecognizerSettings(
        experiment.model, experiment.loss, EMNIST, lines.max_length, lines.with_start_end_tokens
    ).build()
    recognizer.model.to(inputs.device, memory_format=torch.channels_last)
    return recognizer


def compute_config_for(device: str) -> ComputeConfig:
    """Choose the precision of training on `cpu` or `cuda`."""
    return choose_compute_config("auto", device)


def training_step(
    recognizer: Recognizer, optimizer: torch.optim.Optimizer, batch: Batch, compute: ComputeConfig
) -> None:
    """Run forward pass, loss, backward pass and update on the device of `batch` and recognizer."""
    with compute.autocast():
        (*_, logits), lengths = recognizer.logits_by_depth(batch.images, batch.widths)
        loss = recognizer.objective.loss(logits, lengths, batch.texts)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def graphed(recognizer: Recognizer) -> Recognizer:
    """Wrap the recognizer as training does: on a GPU, it replays CUDA graphs."""
    return GraphedRecognizer(recognizer.model, recognizer.objective)


def train(
    inputs: Inputs, key: str, batch_size: int = BATCH, prepare: Callable[[Recognizer], Recognizer] = graphed
) -> Run:
    """Train the recognizer that `prepare` returns on the shuffled batches of successive epochs."""
    prepare_cpu()
    recognizer = prepare(make_recognizer(inputs, key))
    lines = inputs.lines(inputs.experiment(key).lines, "train")
    optimizer = make_adam(recognizer.model.parameters(), 1e-3)
    recognizer.model.train()
    compute = compute_config_for(inputs.device)

    def epochs() -> Iterator[Batch]:
        for epoch in range(10**6):
            batches = WidthBatches(lines.widths, batch_size, np.random.default_rng([0, epoch]))
            yield from line_loader(LineDataset(lines), batches)

    batches, memory = epochs(), MemoryTrimmer()

    def run(_round: int) -> int:
        done = 0
        for _ in range(BATCHES):
            batch = next(batches).to(torch.device(inputs.device))
            training_step(recognizer, optimizer, batch, compute)
            memory.trim_above_limit()
            done += len(batch.texts)
        wait_for(inputs.device)
        return done

    return run


def synthesis(inputs: Inputs) -> Run:
    """Synthesize lines of the data set `variable`. The warm-up round includes the one-time setup."""
    settings, rng = inputs.line_settings("variable"), np.random.default_rng(inputs.seed)
    blocks = synthesize(inputs.words, inputs.characters, settings, 10**9, rng)

    def run(_round: int) -> int:
        return sum(len(block) for block in islice(blocks, SYNTHESIS_BLOCKS))

    return run


def decode_and_cer(inputs: Inputs) -> Run:
    """Decode the logits of all test lines, and compute the character error rate."""

    def error_rate(_recognizer: Recognizer, predictions: list[str], texts: list[str], _rows: Tensor) -> None:
        edit_distances(predictions, texts).sum() / sum(map(len, texts))

    return _decode_and(error_rate, inputs)


def decode_and_all_rates(inputs: Inputs) -> Run:
    """Decode the logits of all test lines, and compute all rates of the evaluation."""
    return _decode_and(compute_rates, inputs)


def _decode_and(compare: Callable[[Recognizer, list[str], list[str], Tensor], object], inputs: Inputs) -> Run:
    """Decode logits to texts, then call `compare` with recognizer, predictions, texts and class indices."""
    prepare_cpu()
    recognizer, lines = make_recognizer(inputs, READ), inputs.lines("variable", "test")
    lengths = recognizer.objective.lengths(recognizer.model.windows, lines.widths.tolist())
    logits = inputs.ctc_logits(lines, recognizer.model.windows.steps(lines.images.shape[2]))

    def run(_round: int) -> int:
        rows = recognizer.objective.decode(logits, lengths)
        compare(recognizer, EMNIST.decode_rows(rows.numpy()), lines.texts, rows)
        return len(lines)

    return run


def evaluate(inputs: Inputs) -> Run:
    """Evaluate all test lines, from pixels in memory to rates."""
    prepare_cpu()
    recognizer, lines = make_recognizer(inputs, READ), inputs.lines("variable", "test")
    compute = compute_config_for(inputs.device)

    def run(_round: int) -> int:
        evaluate_recognizer(recognizer, lines, batch_size=BATCH, compute=compute)
        return len(lines)

    return run
