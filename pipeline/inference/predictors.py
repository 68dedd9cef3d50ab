"""Load what predicts lines: a checkpoint, or the model and beam search of a `decoding`."""

import sys
from pathlib import Path

from pipeline.common import paths
from pipeline.common.files import project_root
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.language_model.store import read_language_model
from pipeline.inference.available_models import BEST, find_models
from pipeline.inference.batches import load_recognizer
from pipeline.inference.beam_predictions import beam_decoder, read_tuned_search
from pipeline.inference.line_predictions import LinePredictor, load_predictor
from pipeline.runtime.hardware import choose_compute_config, prepare_cpu
from pipeline.settings.base import read_section
from pipeline.settings.decoding import DecodingSettings
from pipeline.settings.experiment import read_experiment


def load_greedy_predictor(model: str) -> LinePredictor:
    """The model of a checkpoint. `best` is the registered one; where none is, the best experiment, which is said.

    Raises:
        InputError: there is no such model.
    """
    if model != BEST:
        return load_predictor(Path(model))
    root = project_root()
    found = find_models(root)[0]
    if not found.is_best:
        print(f"MLflow has no best model; {found.path.relative_to(root)} reads", file=sys.stderr)
    return load_predictor(found.path)


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
