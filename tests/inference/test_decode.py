import torch

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import BLANK, EMNIST
from pipeline.decoding.confidence import TEMPERATURES
from pipeline.decoding.language_model.model import LanguageModel
from pipeline.decoding.language_model.ngrams import Symbols, count_ngrams
from pipeline.decoding.posteriors import Posteriors
from pipeline.inference.decode import LabeledPosteriors, decode
from pipeline.settings.decoding import DecodingSettings

SYMBOLS = Symbols(EMNIST)


def test_weights_and_temperatures_come_from_validation_lines() -> None:
    # Steps of "a", nothing or "b", and "a": alone the blank is likelier, with a bonus for each character it is not.
    probabilities = torch.full((1, len(EMNIST.tokens), 3), 1e-9)
    a, b = map(EMNIST.tokens.index, "ab")
    probabilities[0, a] = torch.tensor([0.9, 1e-9, 0.9])
    probabilities[0, b, 1], probabilities[0, BLANK, 1] = 0.4, 0.6
    posteriors = Posteriors(probabilities.log(), [3], EMNIST)
    settings = DecodingSettings(
        experiment="own",
        language_model="data/language_model.h5",
        width=4,
        candidates=3,
        lm_weights=[0.0],
        length_bonuses=[0.0, 2.0],
        prior_weights=[0.0],
    )
    found = decode(
        LabeledPosteriors(posteriors, ["aa"]),
        LabeledPosteriors(posteriors, ["aba"]),
        ["aa"],
        settings,
        LanguageModel(count_ngrams("ab", 2, SYMBOLS), "witten_bell", SYMBOLS),
        Windows(4, 4),
    )
    assert [trial["cer"] for trial in found.metrics["trials"]] == [0, 1 / 2]
    assert (found.metrics["length_bonus"], found.metrics["validation_cer"]) == (0, 0)
    assert found.metrics["test_cer"] == 1 / 3
    # What is right on all validation lines gets the highest confidence; on test lines it would get the lowest.
    assert {found.metrics["calibration"][kind]["temperature"] for kind in ("lines", "characters")} == {TEMPERATURES[0]}
