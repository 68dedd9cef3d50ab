"""Load what predicts lines: a checkpoint, or the model and beam search of a `decoding`."""

from pathlib import Path

from pipeline.common import paths
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.language_model.store import read_language_model
from pipeline.inference.batches import load_recognizer
from pipeline.inference.beam_predictions import beam_decoder, read_tuned_search
from pipeline.inference.line_predictions import LinePredictor, load_predictor
from pipeline.runtime.hardware import choose_compute_config, prepare_cpu
from pipeline.settings.base import read_section
from pipeline.settings.decoding import DecodingSettings
from pipeline.settings.experiment import read_experiment


def load_greedy_predictor(model: str) -> LinePredictor:
    """The model of a checkpoint, or the registered one for `best`.

    Raises:
        InputError: there is no such model.
    """
    return load_predictor(_best_checkpoint() if model == "best" else Path(model))


def _best_checkpoint() -> Path:
    from pipeline.tracking.registry import best_checkpoint  # MLflow takes seconds to import

    return best_checkpoint()


def load_beam_predictor(key: str) -> LinePredictor:
    """The beam search `key` of the section `decoding`, with its experiment's model of the first seed.

    Raises:
        InputError: there is no such search, or its stages have not run.
    """
    settings = read_section(DecodingSettings, "decoding", key)
    _, training = read_experiment(settings.experiment)
    tuned = read_tuned_search(key, settings, training.seeds[0])
    prepare_cpu()
    recognizer = load_recognizer(paths.checkpoint(settings.experiment, training.seeds[0]))
    lm = read_language_model(Path(settings.language_model), recognizer.objective.vocabulary)
    compute = choose_compute_config(training.trainer.precision, training.trainer.accelerator)
    return LinePredictor(recognizer, beam_decoder(recognizer, tuned, LanguageModelCache(lm)), compute)
