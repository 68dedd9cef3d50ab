"""Stage `evaluate`: how well one experiment reads the test lines."""

import argparse
import json
import tempfile
from pathlib import Path

from pipeline import paths
from pipeline.checkpoint import load_checkpoint
from pipeline.data.line_store import read_lines
from pipeline.errors import InputError, exit_on_input_error
from pipeline.evaluation import evaluate
from pipeline.experiment_record import evaluation_of
from pipeline.files import write_text
from pipeline.hardware import choose_precision, prepare_cpu, uses_gpu
from pipeline.report.readings import draw_readings
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, read_experiment
from pipeline.tracking import log_evaluation

EMPTY_ADVICE = "usual for a model in its first few hundred steps: train it longer, see val_blank_share in its history"
SHOWN = 12
"""Test lines in the picture that goes with the run."""


def run(key: str, experiment: ExperimentSettings, training: TrainingSettings) -> None:
    """Read the test lines with the experiment's checkpoint; write metrics and predictions, and track them."""
    settings, reader = load_checkpoint(paths.checkpoint(key))
    lines = read_lines(paths.lines(experiment.lines), "test")
    if settings.max_length != (targets := lines.starts.shape[1]):
        raise InputError(
            f"{paths.checkpoint(key)}: was trained for {settings.max_length} target positions, and "
            f"{paths.lines(experiment.lines)} has {targets}; train it again"
        )
    accelerator = training.trainer.accelerator
    result = evaluate(
        reader,
        lines,
        batch_size=training.batch_size,
        device="cuda" if uses_gpu(accelerator) else "cpu",
        bf16=choose_precision(training.trainer.precision, accelerator).startswith("bf16"),
    )
    write_text(paths.predictions(key), result.predictions.to_csv(index=False))
    write_text(paths.metrics(key), json.dumps(result.metrics, indent=2) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "test_readings.png"
        shown = result.predictions.head(SHOWN)
        images = [image[:, :width] for image, width in zip(lines.images[:SHOWN], lines.widths[:SHOWN], strict=True)]
        draw_readings(picture, images, list(shown["text"]), [[("reading", r)] for r in shown["prediction"]])
        log_evaluation(evaluation_of(key, experiment, training, {"test_readings.png": picture}))
    if not any(result.predictions["prediction"]):
        print(f"evaluate: {key}: every reading is empty; {EMPTY_ADVICE}")
    print(
        f"evaluate: {key}: CER {result.metrics['test_cer']:.2%}, as the lab counts {result.metrics['test_cer_lab']:.2%}"
    )


def main() -> None:
    """Parse the command line, read the settings and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", help="a key of the section `experiments` of params.yaml")
    key = parser.parse_args().experiment
    experiment, training = read_experiment(key)
    prepare_cpu()
    run(key, experiment, training)


if __name__ == "__main__":
    exit_on_input_error(main)
