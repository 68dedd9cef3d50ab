"""Stage `evaluate`: error rates and predictions of one experiment's models on the test lines."""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.data.storage.line_store import read_lines
from pipeline.data.storage.lines import Lines
from pipeline.inference.evaluate import evaluate, mean_metrics
from pipeline.inference.seeds import describe_spread, join_predictions
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.plots.predictions import draw_first_predictions
from pipeline.runtime.hardware import choose_compute_config, prepare_cpu
from pipeline.runtime.timings import write_timing
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, read_experiment
from pipeline.tracking.dvc_outputs import read_evaluation
from pipeline.tracking.evaluations import log_evaluation

EMPTY_ADVICE = "usual for a model in its first few hundred steps: train it longer, see val_blank_share in its history"
SHOWN = 12
"""Test lines in the picture that is logged to the run."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("key", metavar="experiment", help="a key of the section `experiments` of params.yaml")


def main(key: str) -> None:
    """Predict the test lines with the model of each seed; write predictions, metrics and speed, and log them."""
    prepare_cpu()
    settings, training = read_experiment(key)
    lines = read_lines(paths.lines(settings.lines), "test")
    recognizers = load_recognizers(key, settings, training, targets=lines.starts.shape[1])
    compute = choose_compute_config(training.trainer.precision, training.trainer.accelerator)
    results = {
        seed: evaluate(recognizer, lines, batch_size=training.batch_size, compute=compute)
        for seed, recognizer in recognizers.items()
    }
    metrics = mean_metrics({seed: result.metrics for seed, result in results.items()})
    predictions = join_predictions({seed: result.predictions for seed, result in results.items()})
    speeds = {seed: result.lines_per_second for seed, result in results.items()}
    write_text(paths.predictions(key), predictions.to_csv(index=False))
    write_timing(key, "evaluate", speeds, "bf16" if compute.bf16 else "fp32")
    write_text(paths.metrics(key), json.dumps(metrics, indent=2) + "\n")
    first = {seed: list(result.predictions["prediction"].head(SHOWN)) for seed, result in results.items()}
    log_seeds(key, settings, training, lines, first)
    if not any(any(result.predictions["prediction"]) for result in results.values()):
        print(f"evaluate: {key}: every prediction is empty; {EMPTY_ADVICE}")
    spread = describe_spread(metrics)
    print(f"evaluate: {key}: CER {metrics['test_cer']:.2%}{spread}, as the lab counts {metrics['test_cer_lab']:.2%}")


def load_recognizers(
    key: str, settings: ExperimentSettings, training: TrainingSettings, targets: int
) -> dict[int, Recognizer]:
    """Load the model of each seed.

    Raises:
        InputError: a checkpoint is missing, or was trained on lines with another number of target positions.
    """
    recognizers = {}
    for seed in training.seeds:
        path = paths.checkpoint(key, seed)
        trained, recognizers[seed] = load_checkpoint(path)
        if trained.max_length != targets:
            raise InputError(
                f"{path}: was trained for {trained.max_length} target positions, and {paths.lines(settings.lines)} has "
                f"{targets}; train it again"
            )
    return recognizers


def log_seeds(
    key: str,
    settings: ExperimentSettings,
    training: TrainingSettings,
    lines: Lines,
    predictions: Mapping[int, Sequence[str]],
) -> None:
    """Log the outputs of each seed to its MLflow run, with a picture of the first lines and their `predictions`."""
    with tempfile.TemporaryDirectory() as folder:
        evaluations = []
        for seed, texts in predictions.items():
            picture = Path(folder) / str(seed) / "test_readings.png"
            picture.parent.mkdir()
            draw_first_predictions(picture, lines, texts)
            evaluations.append(read_evaluation(key, settings, training, seed, [picture]))
        log_evaluation(*evaluations)
