"""Reading with a language model: the sections `language_model` and `decoding` of `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.base import Settings

Smoothing = Literal["witten_bell", "discounting", "kneser_ney"]


class LanguageModelSettings(Settings):
    """The character n-gram model of the training text."""

    order: Annotated[int, Field(ge=1, le=10)]
    """Characters that take part in one estimate, the estimated one included."""
    smoothing: Smoothing
    """How much of the probability is left for what was not seen; see `pipeline/decoding/language_model/model.py`."""


class DecodingSettings(Settings):
    """Beam search over what a trained CTC experiment says of its validation and test lines.

    Of the weights, bonuses and shares listed, those with the lowest CER on validation lines read the test lines.
    """

    experiment: str
    """A key of the section `experiments`, trained with `ctc`."""
    width: Annotated[int, Field(ge=1, le=1024)]
    """Texts kept after each step."""
    candidates: Annotated[int, Field(ge=1, le=79)]
    """Likeliest characters of each step that may come next."""
    lm_weights: Annotated[list[Annotated[float, Field(ge=0, le=10)]], Field(min_length=1)]
    """Weights of the language model's log-probability to choose from; 0 does without."""
    length_bonuses: Annotated[list[Annotated[float, Field(ge=-10, le=10)]], Field(min_length=1)]
    """What each character adds to a text's score, to choose from."""
    prior_weights: Annotated[list[Annotated[float, Field(ge=0, le=10)]], Field(min_length=1)] = Field(
        default_factory=lambda: [0.0]
    )
    """Weights of the characters' own log-probabilities, which are taken off, to choose from; 0 does without."""
    intermediate_shares: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=1)] = Field(
        default_factory=lambda: [0.0]
    )
    """Shares of the intermediate logits in what is searched, to choose from, for a model with `intermediate`; 0 does
    without. They come from before the layers that read on, so that the language model says less of it again.
    """
