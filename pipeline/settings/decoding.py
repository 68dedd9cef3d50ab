"""Decoding: the sections `language_model`, `own_language_models` and `decoding` of `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.base import OptionalPath, Settings

Smoothing = Literal["witten_bell", "discounting", "kneser_ney"]


class LanguageModelSettings(Settings):
    """The character n-gram model of the training text."""

    order: Annotated[int, Field(ge=1, le=10)]
    """Length of the n-grams: an estimated character and the `order - 1` characters before it."""
    smoothing: Smoothing
    """How much probability unseen n-grams get; see `pipeline/decoding/language_model/model.py`."""


class OwnLanguageModelSettings(Settings):
    """A character n-gram model of the training transcriptions of a data set, and of a text of your own."""

    lines: str
    """A key of the section `own_lines`. Its training lines are counted, and its vocabulary is the model's."""
    text: OptionalPath
    """UTF-8 text file that is counted too, or `data/none`."""
    order: Annotated[int, Field(ge=1, le=10)] = 9
    """As in `language_model`."""
    smoothing: Smoothing = "kneser_ney"
    """As in `language_model`. On small texts, `kneser_ney` is the best by far."""


class DecodingSettings(Settings):
    """A beam search for the test lines of one trained CTC experiment.

    Lists hold values to choose from: the combination with the lowest CER on validation lines decodes the test lines.
    """

    experiment: str
    """A key of the section `experiments`, trained with `ctc`."""
    language_model: str
    """Path of the language model: `data/language_model.h5`, or that of one of `own_language_models`."""
    width: Annotated[int, Field(ge=1, le=1024)]
    """Beam width: texts kept after each step."""
    candidates: Annotated[int, Field(ge=1, le=79)]
    """How many of a step's most probable characters may extend a text."""
    lm_weights: Annotated[list[Annotated[float, Field(ge=0, le=10)]], Field(min_length=1)]
    """Weights of the language model's log-probability; 0 turns it off."""
    length_bonuses: Annotated[list[Annotated[float, Field(ge=-10, le=10)]], Field(min_length=1)]
    """Bonuses that each character adds to a text's score."""
    prior_weights: Annotated[list[Annotated[float, Field(ge=0, le=10)]], Field(min_length=1)] = Field(
        default_factory=lambda: [0.0]
    )
    """Weights of the characters' prior log-probabilities, which are subtracted; 0 turns it off."""
    intermediate_shares: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=1)] = Field(
        default_factory=lambda: [0.0]
    )
    """Weights of the intermediate logits, for a model with `intermediate`; 0 turns them off.

    They are taken before the sequence layers, so they carry less implicit language model.
    """
