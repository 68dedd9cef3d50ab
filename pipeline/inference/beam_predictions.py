"""Predict line images with the beam search of a `decoding`, as tuned and calibrated on validation lines."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.decoding import confidence
from pipeline.decoding.candidates import search_lines
from pipeline.decoding.forced_alignment import align_lines
from pipeline.decoding.hypotheses import SearchSettings
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.posteriors import Posteriors
from pipeline.inference.decode import split_by_line
from pipeline.inference.line_predictions import Decoder, LinePrediction
from pipeline.metrics.error_rates import BY_SEED
from pipeline.models.recognizer import Recognizer
from pipeline.settings.decoding import DecodingSettings


@dataclass(frozen=True)
class TunedSearch:
    """A beam search with the weights that were chosen on validation lines."""

    search: SearchSettings
    intermediate_weight: float
    temperature: float
    """That of the confidences of characters."""


def read_tuned_search(key: str, settings: DecodingSettings, seed: int) -> TunedSearch:
    """The search of the decoding `key` for the model of a seed, from the metrics that the stage `decode` wrote.

    Raises:
        InputError: they are missing, damaged, or have no such seed.
    """
    path = paths.decoding_metrics(key)
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))[BY_SEED][str(seed)]
        weights = [float(metrics[name]) for name in ("lm_weight", "length_bonus", "prior_weight")]
        temperature = float(metrics["calibration"]["characters"]["temperature"])
        search = SearchSettings(settings.width, settings.candidates, *weights)
        return TunedSearch(search, float(metrics["intermediate_share"]), temperature)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run `dvc repro decode@{key}`") from None
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path}: not the metrics of a beam search ({error}); run `dvc repro decode@{key}`") from None


def beam_decoder(recognizer: Recognizer, tuned: TunedSearch, lm: LanguageModelCache) -> Decoder:
    """Find the most probable text of each line.

    The confidence of a character is the weight of the texts in the beam that have it; see
    `pipeline.decoding.confidence`. Its step is that of the most probable alignment.
    """
    vocabulary = recognizer.objective.vocabulary

    def decode(images: Tensor, widths: Sequence[int]) -> list[LinePrediction]:
        by_depth, lengths = recognizer.logits_by_depth(images, widths)
        used = by_depth if tuned.intermediate_weight else by_depth[-1:]
        logs = [logits.float().log_softmax(1).cpu() for logits in used]
        posteriors = Posteriors(logs[-1], lengths, vocabulary, logs[0]).interpolate(tuned.intermediate_weight)
        candidates = search_lines(posteriors, tuned.search, lm)
        agreement = confidence.character_agreement(candidates)
        confidences = split_by_line(agreement.confidence(tuned.temperature), candidates.best)
        steps = align_lines(posteriors, candidates.best)
        lines = zip(candidates.best, confidences, steps, strict=True)
        return [LinePrediction(text, values.tolist(), places) for text, values, places in lines]

    return decode
