"""Stage `decode`: decode one experiment's test lines again, by beam search with the language model."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.common import paths
from pipeline.common.files import write_text
from pipeline.data.storage.line_store import read_lines
from pipeline.data.storage.lines import Lines
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.store import read_language_model
from pipeline.inference.decode import Decoded, LabeledPosteriors, decode, join_metrics
from pipeline.inference.posteriors import compute_posteriors
from pipeline.inference.seeds import describe_spread, join_predictions
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import ComputeConfig, choose_compute_config, prepare_cpu
from pipeline.runtime.timings import write_timing
from pipeline.settings.base import read_section
from pipeline.settings.decoding import DecodingSettings
from pipeline.settings.experiment import read_experiment

PARTS = ("validation", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("key", metavar="decoding", help="a key of the section `decoding` of params.yaml")


def main(key: str) -> None:
    """Tune, calibrate and decode with the model of each seed separately; write predictions, metrics and speed."""
    settings = read_section(DecodingSettings, "decoding", key)
    prepare_cpu()
    experiment, training = read_experiment(settings.experiment)
    recognizers = {seed: load_checkpoint(paths.checkpoint(settings.experiment, seed))[1] for seed in training.seeds}
    vocabulary = recognizers[training.seeds[0]].objective.vocabulary
    model = read_language_model(Path(settings.language_model), vocabulary)
    lines = {part: read_lines(paths.lines(experiment.lines), part) for part in PARTS}
    compute = choose_compute_config(training.trainer.precision, training.trainer.accelerator)
    results = {}
    for seed, recognizer in recognizers.items():
        results[seed] = decode_lines(recognizer, lines, settings, training.batch_size, compute, model)
        print(f"decode: {key} (seed {seed}): {describe(results[seed])}", flush=True)
    metrics = join_metrics({seed: result.metrics for seed, result in results.items()})
    predictions = join_predictions({seed: result.predictions for seed, result in results.items()})
    write_text(paths.decoding_predictions(key), predictions.to_csv(index=False))
    speeds = {seed: result.lines_per_second for seed, result in results.items()}
    write_timing(key, "decode", speeds, "bf16" if compute.bf16 else "fp32")
    write_text(paths.decoding_metrics(key), json.dumps(metrics, indent=2) + "\n")
    print(f"decode: {key}: CER {metrics['test_cer']:.2%}{describe_spread(metrics)}")


def decode_lines(
    recognizer: Recognizer,
    lines: Mapping[str, Lines],
    settings: DecodingSettings,
    batch_size: int,
    compute: ComputeConfig,
    model: LanguageModel,
) -> Decoded:
    """Tune and calibrate the beam search on validation lines, then decode the test lines; `lines` has all `PARTS`."""
    intermediate, parts = any(settings.intermediate_shares), []
    for part in PARTS:
        posteriors = compute_posteriors(
            recognizer, lines[part], batch_size=batch_size, compute=compute, intermediate=intermediate
        )
        parts.append(LabeledPosteriors(posteriors, lines[part].texts, lines[part].groups))
    validation, test = parts
    path = recognizer.objective.decode(test.posteriors.log_probabilities, test.posteriors.lengths)
    greedy = recognizer.objective.texts(path)
    return decode(validation, test, greedy, settings, model, recognizer.model.windows)


def describe(result: Decoded) -> str:
    """The error rates, and the values that were chosen on validation lines."""
    metrics = result.metrics
    chosen = ("lm_weight", "length_bonus", "prior_weight", "intermediate_share")
    rates = f"CER {metrics['test_cer']:.2%}, greedy {metrics['test_cer_greedy']:.2%}"
    return f"{rates}; " + ", ".join(f"{name} {metrics[name]}" for name in chosen)
