"""Grid search for the weights of a beam search, on validation lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from pipeline.common.progress import progress_bar
from pipeline.decoding.candidates import search_predictions
from pipeline.decoding.hypotheses import SearchSettings
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.posteriors import Posteriors
from pipeline.metrics.error_rates import character_error_rate
from pipeline.settings.decoding import DecodingSettings


@dataclass(frozen=True)
class Trial:
    """One combination of weights and its CER."""

    search: SearchSettings
    intermediate_weight: float
    cer: float

    @property
    def weights(self) -> dict[str, float]:
        """The combination, by the names in the metrics."""
        return {**self.search.weights, "intermediate_share": self.intermediate_weight}


def grid_search(
    posteriors: Posteriors, texts: Sequence[str], settings: DecodingSettings, lm: LanguageModelCache
) -> list[Trial]:
    """Decode the lines with each combination of the weights in `settings`."""
    interpolated = {weight: posteriors.interpolate(weight) for weight in settings.intermediate_shares}
    grid = list(
        product(settings.intermediate_shares, settings.lm_weights, settings.length_bonuses, settings.prior_weights)
    )
    trials = []
    for intermediate_weight, *weights in progress_bar(grid, desc="tuning", unit="choice"):
        search = SearchSettings(settings.width, settings.candidates, *weights)
        predictions = search_predictions(interpolated[intermediate_weight], search, lm)
        trials.append(Trial(search, intermediate_weight, character_error_rate(predictions, texts)))
    return trials


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The trial with the lowest CER; the first one if there are ties."""
    return min(trials, key=lambda trial: trial.cer)
