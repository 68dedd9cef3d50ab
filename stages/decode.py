"""Stage `decode`: one experiment's test lines read again, by a beam with the language model."""

import argparse
import json
from collections.abc import Mapping

from pipeline import paths, vocabulary
from pipeline.checkpoint import load_checkpoint
from pipeline.data.line_store import read_lines
from pipeline.data.lines import Lines
from pipeline.decoding import places
from pipeline.decoding.decode import Decoded, Part, decode, joined_metrics
from pipeline.decoding.language_model import LanguageModel
from pipeline.decoding.language_store import read_language_model
from pipeline.decoding.posteriors import compute_posteriors
from pipeline.errors import exit_on_input_error
from pipeline.files import write_text
from pipeline.hardware import Arithmetic, choose_arithmetic, prepare_cpu
from pipeline.reader import Reader
from pipeline.seeds import describe_spread, joined_predictions
from pipeline.settings.base import read_section
from pipeline.settings.decoding import DecodingSettings
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, read_experiment
from pipeline.timings import write_timing

PARTS = ("validation", "test")


def run(key: str, settings: DecodingSettings, experiment: ExperimentSettings, training: TrainingSettings) -> None:
    """Tune, calibrate and read with the model of each seed by itself; write metrics and predictions."""
    model = read_language_model(places.LANGUAGE_MODEL)
    readers = {seed: load_checkpoint(paths.checkpoint(settings.experiment, seed))[1] for seed in training.seeds}
    lines = {part: read_lines(paths.lines(experiment.lines), part) for part in PARTS}
    arithmetic = choose_arithmetic(training.trainer.precision, training.trainer.accelerator)
    results = {}
    for seed, reader in readers.items():
        results[seed] = decode_lines(reader, lines, settings, training.batch_size, arithmetic, model)
        print(f"decode: {key} (seed {seed}): {describe(results[seed])}", flush=True)
    metrics = joined_metrics({seed: result.metrics for seed, result in results.items()})
    predictions = joined_predictions({seed: result.predictions for seed, result in results.items()})
    write_text(places.predictions(key), predictions.to_csv(index=False))
    speeds = {seed: result.lines_per_second for seed, result in results.items()}
    write_timing(key, "decode", speeds, "bf16" if arithmetic.bf16 else "fp32")
    write_text(places.metrics(key), json.dumps(metrics, indent=2) + "\n")
    print(f"decode: {key}: CER {metrics['test_cer']:.2%}{describe_spread(metrics)}")


def decode_lines(
    reader: Reader,
    lines: Mapping[str, Lines],
    settings: DecodingSettings,
    batch_size: int,
    arithmetic: Arithmetic,
    model: LanguageModel,
) -> Decoded:
    """Tune and calibrate one reader's beam on validation lines, and read the test lines; `lines` has all of `PARTS`."""
    intermediate, parts = any(settings.intermediate_shares), []
    for part in PARTS:
        posteriors = compute_posteriors(
            reader, lines[part], batch_size=batch_size, arithmetic=arithmetic, intermediate=intermediate
        )
        parts.append(Part(posteriors, lines[part].texts))
    validation, test = parts
    path = reader.objective.decode(test.posteriors.log_probabilities, test.posteriors.lengths)
    greedy = vocabulary.decode_rows(path.numpy())
    return decode(validation, test, greedy, settings, model, reader.model.windows)


def describe(result: Decoded) -> str:
    """Error rates, and what was chosen on validation lines."""
    metrics = result.metrics
    chosen = ("lm_weight", "length_bonus", "prior_weight", "intermediate_share")
    rates = f"CER {metrics['test_cer']:.2%}, greedy {metrics['test_cer_greedy']:.2%}"
    return f"{rates}; " + ", ".join(f"{name} {metrics[name]}" for name in chosen)


def main() -> None:
    """Parse the command line, read the settings and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("decoding", help="a key of the section `decoding` of params.yaml")
    key = parser.parse_args().decoding
    settings = read_section(DecodingSettings, "decoding", key)
    experiment, training = read_experiment(settings.experiment)
    prepare_cpu()
    run(key, settings, experiment, training)


if __name__ == "__main__":
    exit_on_input_error(main)
