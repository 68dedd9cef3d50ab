"""Stage `evaluate`: how well one experiment's models read the test lines."""

import argparse
import json
import tempfile
from pathlib import Path

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.data.storage.line_store import read_lines
from pipeline.data.storage.lines import Lines
from pipeline.inference.evaluate import evaluate, mean_metrics
from pipeline.inference.seeds import describe_spread, joined_predictions
from pipeline.models.checkpoint import load_checkpoint
from pipeline.plots.predictions import draw_first_predictions
from pipeline.runtime.hardware import choose_arithmetic, prepare_cpu
from pipeline.runtime.timings import write_timing
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, read_experiment
from pipeline.tracking.evaluations import log_evaluation
from pipeline.tracking.outputs import evaluation_of

EMPTY_ADVICE = "usual for a model in its first few hundred steps: train it longer, see val_blank_share in its history"
SHOWN = 12
"""Test lines in the picture that goes with the run."""


def run(key: str, experiment: ExperimentSettings, training: TrainingSettings) -> None:
    """Read the test lines with the model of each seed; write metrics, predictions and speed, and track them."""
    loaded = {seed: load_checkpoint(paths.checkpoint(key, seed)) for seed in training.seeds}
    lines = read_lines(paths.lines(experiment.lines), "test")
    for seed, (settings, _) in loaded.items():
        if settings.max_length != (targets := lines.starts.shape[1]):
            raise InputError(
                f"{paths.checkpoint(key, seed)}: was trained for {settings.max_length} target positions, and "
                f"{paths.lines(experiment.lines)} has {targets}; train it again"
            )
    arithmetic = choose_arithmetic(training.trainer.precision, training.trainer.accelerator)
    results = {
        seed: evaluate(recognizer, lines, batch_size=training.batch_size, arithmetic=arithmetic)
        for seed, (_, recognizer) in loaded.items()
    }
    metrics = mean_metrics({seed: result.metrics for seed, result in results.items()})
    predictions = joined_predictions({seed: result.predictions for seed, result in results.items()})
    speeds = {seed: result.lines_per_second for seed, result in results.items()}
    write_text(paths.predictions(key), predictions.to_csv(index=False))
    write_timing(key, "evaluate", speeds, "bf16" if arithmetic.bf16 else "fp32")
    write_text(paths.metrics(key), json.dumps(metrics, indent=2) + "\n")
    for seed, result in results.items():
        track(key, experiment, training, seed, lines, list(result.predictions["prediction"].head(SHOWN)))
    if not any(any(result.predictions["prediction"]) for result in results.values()):
        print(f"evaluate: {key}: every reading is empty; {EMPTY_ADVICE}")
    spread = describe_spread(metrics)
    print(f"evaluate: {key}: CER {metrics['test_cer']:.2%}{spread}, as the lab counts {metrics['test_cer_lab']:.2%}")


def track(
    key: str, experiment: ExperimentSettings, training: TrainingSettings, seed: int, lines: Lines, readings: list[str]
) -> None:
    """Add what was written of one seed to its run, with a picture of the readings of the first lines."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "test_readings.png"
        draw_first_predictions(picture, lines, readings)
        log_evaluation(evaluation_of(key, experiment, training, seed, {picture.name: picture}))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `pipeline.command_line`."""
    parser.add_argument("experiment", help="a key of the section `experiments` of params.yaml")


def main(experiment: str) -> None:
    """Read the settings and run."""
    prepare_cpu()
    run(experiment, *read_experiment(experiment))
