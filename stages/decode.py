"""Stage `decode`: one experiment's test lines read again, by a beam with the language model."""

import argparse
import json

from pipeline import paths, vocabulary
from pipeline.checkpoint import load_checkpoint
from pipeline.data.line_store import read_lines
from pipeline.decoding import places
from pipeline.decoding.decode import Part, decode
from pipeline.decoding.language_store import read_language_model
from pipeline.decoding.posteriors import compute_posteriors
from pipeline.errors import exit_on_input_error
from pipeline.files import write_text
from pipeline.hardware import choose_arithmetic, prepare_cpu
from pipeline.settings.base import read_section
from pipeline.settings.decoding import DecodingSettings
from pipeline.settings.experiment import ExperimentSettings, TrainingSettings, read_experiment
from pipeline.timings import write_timing


def run(key: str, settings: DecodingSettings, experiment: ExperimentSettings, training: TrainingSettings) -> None:
    """Tune and calibrate on validation lines, read the test lines, write metrics and predictions.

    It is the model of the experiment's first seed.
    """
    model = read_language_model(places.LANGUAGE_MODEL)
    _, reader = load_checkpoint(paths.checkpoint(settings.experiment, training.seeds[0]))
    arithmetic = choose_arithmetic(training.trainer.precision, training.trainer.accelerator)
    parts, intermediate = {}, any(settings.intermediate_shares)
    for name in ("validation", "test"):
        lines = read_lines(paths.lines(experiment.lines), name)
        posteriors = compute_posteriors(
            reader, lines, batch_size=training.batch_size, arithmetic=arithmetic, intermediate=intermediate
        )
        parts[name] = Part(posteriors, lines.texts)
    test = parts["test"].posteriors
    greedy = vocabulary.decode_rows(reader.objective.decode(test.log_probabilities, test.lengths).numpy())
    result = decode(parts["validation"], parts["test"], greedy, settings, model, reader.model.windows)
    write_text(places.predictions(key), result.predictions.to_csv(index=False))
    speed = {training.seeds[0]: result.lines_per_second}
    write_timing(key, "decode", speed, "bf16" if arithmetic.bf16 else "fp32")
    write_text(places.metrics(key), json.dumps(result.metrics, indent=2) + "\n")
    chosen = ("lm_weight", "length_bonus", "prior_weight", "intermediate_share")
    print(
        f"decode: {key}: CER {result.metrics['test_cer']:.2%}, greedy {result.metrics['test_cer_greedy']:.2%}; "
        + ", ".join(f"{name} {result.metrics[name]}" for name in chosen)
    )


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
