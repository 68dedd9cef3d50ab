"""The models in use, with what each needs to read."""

from collections import OrderedDict
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.inference.available_models import BEST, Model, find_models, seed_of

if TYPE_CHECKING:
    from pipeline.app.reading import LineReader
    from pipeline.common.vocabulary import Vocabulary
    from pipeline.decoding.language_model.cache import LanguageModelCache
    from pipeline.inference.beam_predictions import TunedSearch

MAX_LOADED = 4
"""Models in memory. One more takes the place of that which was not used for longest."""


class ModelStore:
    """Loads models when they are asked for, and keeps the last ones. Not safe for several threads."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[str, LineReader] = OrderedDict()
        self._language_models: dict[tuple[Path, Vocabulary], LanguageModelCache] = {}

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models by name, the one to use by default first."""
        return {model.name: model for model in find_models(Path())}

    def load(self, name: str) -> "LineReader":
        """The reader of a model; `best`, or an empty name, means the first one.

        Raises:
            InputError: there is no such model, or its checkpoint cannot be loaded.
        """
        if name in ("", BEST):
            name = next(iter(self.models))
        if name not in self.models:
            raise InputError(f"model {name[:100]!r} is unknown; there are {', '.join(self.models)}")
        if name not in self._loaded:
            self._loaded[name] = self._read(self.models[name])
            while len(self._loaded) > MAX_LOADED:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(name)
        return self._loaded[name]

    def _read(self, model: Model) -> "LineReader":
        from pipeline.app.reading import LineReader
        from pipeline.inference.batches import load_recognizer
        from pipeline.runtime.hardware import choose_compute_config

        recognizer = load_recognizer(model.path)
        tuned, path = _tuned_search(model)
        lm = self._language_model(path, recognizer.objective.vocabulary)
        return LineReader(recognizer, choose_compute_config("auto", "auto"), tuned, lm)

    def _language_model(self, path: Path, vocabulary: "Vocabulary") -> "LanguageModelCache | None":
        """A language model, read once; None if there is none, or it is one of other characters."""
        from pipeline.decoding.language_model.cache import LanguageModelCache
        from pipeline.decoding.language_model.store import read_language_model

        if (path, vocabulary) not in self._language_models:
            try:
                cache = LanguageModelCache(read_language_model(path, vocabulary))
            except InputError:
                return None
            self._language_models[path, vocabulary] = cache
        return self._language_models[path, vocabulary]


def _tuned_search(model: Model) -> "tuple[TunedSearch, Path]":
    """The first beam search of the model that was tuned, and its language model; or the usual weights.

    Without a tuned one, the language model is that of the first search of the model, or that of the corpus.
    """
    from pipeline.app.reading import UNTUNED
    from pipeline.inference.beam_predictions import read_tuned_search
    from pipeline.settings.base import read_params, read_section
    from pipeline.settings.decoding import DecodingSettings

    language_models = []
    try:
        params = read_params() if model.experiment else {}
        for key in params.get("decoding") or {}:
            settings = read_section(DecodingSettings, "decoding", key, params=params)
            if settings.experiment == model.experiment:
                language_models.append(Path(settings.language_model))
                with suppress(InputError):
                    return read_tuned_search(key, settings, seed_of(model.path)[1]), language_models[-1]
    except InputError:
        pass
    return UNTUNED, next(iter(language_models), paths.LANGUAGE_MODEL)
