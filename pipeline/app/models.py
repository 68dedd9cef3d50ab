"""The models of a workspace: which there are, and those in use."""

import json
import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.files import file_md5

if TYPE_CHECKING:
    from pipeline.app.reading import LineReader
    from pipeline.common.vocabulary import Vocabulary
    from pipeline.decoding.language_model.cache import LanguageModelCache
    from pipeline.inference.beam_predictions import TunedSearch

BEST = "best"
MAX_LOADED = 4
"""Models in memory. One more takes the place of that which was not used for longest."""
NO_MODEL = "there is no model yet; make some with `make demo` or `dvc repro`"


@dataclass(frozen=True)
class Model:
    """A checkpoint of the workspace."""

    name: str
    path: Path
    test_cer: float | None = None
    """Of greedy decoding, where it was evaluated."""
    experiment: str | None = None
    is_best: bool = False
    """Whether it is the one registered in MLflow as the best."""


def has_models(folder: Path) -> bool:
    """Whether a folder has checkpoints of experiments or of recognizers that others trained."""
    patterns = (paths.checkpoint("*", 0).with_name("seed_*.ckpt"), paths.pretrained("*"))
    return any(any(folder.glob(str(pattern))) for pattern in patterns)


def find_models() -> list[Model]:
    """The models of the working folder: the best one first, then experiments by their CER, then those of others.

    Of an experiment with several seeds, the first is meant.

    Raises:
        InputError: there is none.
    """
    models = _mark_best([*_find_experiments(), *_find_pretrained()])
    if not models:
        raise InputError(f"app: {NO_MODEL}")
    return models


def _find_experiments() -> list[Model]:
    found: dict[str, Path] = {}
    for path in sorted(paths.models("*").parent.glob("*/seed_*.ckpt"), key=_seed):
        found.setdefault(path.parent.name, path)
    models = [Model(name, path, _test_cer(name), name) for name, path in sorted(found.items())]
    return sorted(models, key=lambda model: (model.test_cer is None, model.test_cer))


def _seed(path: Path) -> tuple[str, int]:
    number = path.stem.removeprefix("seed_")
    return path.parent.name, int(number) if number.isdecimal() else 2**32


def _test_cer(experiment: str) -> float | None:
    try:
        return float(json.loads(paths.metrics(experiment).read_text(encoding="utf-8"))["test_cer"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _find_pretrained() -> list[Model]:
    pattern = paths.pretrained("*")
    return [Model(f"pretrained/{path.stem}", path) for path in sorted(pattern.parent.glob(pattern.name))]


def _mark_best(models: list[Model]) -> list[Model]:
    """Put the registered best model first; it is one of the experiments, or was trained elsewhere."""
    if not (Path("mlflow.db").exists() or os.environ.get("MLFLOW_TRACKING_URI")):
        return models
    from pipeline.tracking.registry import best_checkpoint  # MLflow takes seconds to import

    try:
        path = best_checkpoint()
    except InputError:
        return models
    md5 = file_md5(path)
    same = next((model for model in models if file_md5(model.path) == md5), None)
    best = replace(same, is_best=True) if same else Model(BEST, path, is_best=True)
    return [best, *(model for model in models if model is not same)]


class ModelStore:
    """Loads models when they are asked for, and keeps the last ones. Not safe for several threads."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[str, LineReader] = OrderedDict()
        self._language_models: dict[tuple[Path, Vocabulary], LanguageModelCache] = {}

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models by name, the one to use by default first."""
        return {model.name: model for model in find_models()}

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
                    return read_tuned_search(key, settings, _seed(model.path)[1]), language_models[-1]
    except InputError:
        pass
    return UNTUNED, next(iter(language_models), paths.LANGUAGE_MODEL)
