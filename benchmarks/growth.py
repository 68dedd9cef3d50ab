"""How the cost grows with the number of lines, the width of lines and the batch size."""

import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.inputs import BATCH, READ, Inputs
from benchmarks.ours import GPU_WARMUPS, compute_config_for, graphed, make_recognizer, train, training_step
from benchmarks.peak import wait_for
from pipeline.data.loading.batches import LineDataset
from pipeline.runtime.hardware import prepare_cpu
from pipeline.training.optimizers import make_adam

WARMUPS = {"cpu": 1, "cuda": GPU_WARMUPS}
Row = tuple[str, str, float]
"""Name, unit and value of a measurement."""
SYNTHESIS = (
    "import time; import numpy as np; from benchmarks.inputs import Inputs; "
    "from pipeline.data.synthesis.synthesize import synthesize; from benchmarks.memory import peak_memory; "
    "i = Inputs(); c, w = i.characters, i.words; s = time.perf_counter(); "
    "n = sum(map(len, synthesize(w, c, i.line_settings('variable'), {count}, np.random.default_rng(0)))); "
    "print(n / (time.perf_counter() - s), peak_memory() / 2**20)"
)


def synthesis_by_lines() -> Iterator[Row]:
    """Measure speed and peak memory of synthesis, for each number of lines in a process of its own."""
    for count in (1_000, 10_000, 100_000):
        command = [sys.executable, "-c", SYNTHESIS.format(count=count)]
        rate, memory = map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
        yield f"synthesis of {count} lines", "lines/s", rate
        yield f"synthesis of {count} lines, peak memory", "MiB", memory


def training_by_width(device: str = "cpu", repeats: int = 4) -> Iterator[Row]:
    """Measure training steps on a batch of narrow, medium and wide lines."""
    prepare_cpu()
    inputs, compute = Inputs(device=device), compute_config_for(device)
    recognizer, lines = graphed(make_recognizer(inputs, READ)), inputs.lines("variable", "train")
    optimizer = make_adam(recognizer.model.parameters(), 1e-3)
    order = np.argsort(lines.widths, kind="stable")
    for quantile in (0.05, 0.5, 0.95):
        first = int(quantile * (len(lines) - BATCH))
        batch = LineDataset(lines).__getitems__(order[first : first + BATCH].tolist()).to(torch.device(device))
        times = []
        for _ in range(1 + repeats):
            start = time.perf_counter()
            training_step(recognizer, optimizer, batch, compute)
            wait_for(device)
            times.append(time.perf_counter() - start)
        yield f"train line_cnn ctc, lines of {batch.images.shape[-1]} pixels", "lines/s", BATCH / min(times[1:])


def training_by_batch(device: str = "cpu", rounds: int = 2) -> Iterator[Row]:
    """Measure training steps with several batch sizes."""
    for size in (32, 64, 128, 256):
        run = train(Inputs(device=device), READ, size)
        for number in range(WARMUPS[device]):
            run(number)
        start = time.perf_counter()
        done = sum(run(number) for number in range(rounds))
        yield f"train line_cnn ctc, batch {size}", "lines/s", done / (time.perf_counter() - start)
