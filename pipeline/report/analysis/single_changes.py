"""Ablations: what one setting is worth, where two experiments differ in nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, takewhile
from typing import Any

from pipeline.report.analysis.bootstrap import Estimate
from pipeline.report.analysis.rates import Rates
from pipeline.report.analysis.results import Result
from pipeline.settings.base import validate
from pipeline.settings.experiment import TrainingSettings, merge_training

Path = tuple[str, ...]


@dataclass(frozen=True)
class SingleChange:
    """Two experiments on the same lines, in the order of the settings, and the one setting that parts them."""

    lines: str
    before: Result
    after: Result
    setting: str
    """Its key, or that of the block in which all that differs lies."""
    values: tuple[str, str]
    difference: Estimate
    """CER after less CER before, paired by line."""


def find_single_changes(
    results: Sequence[Result], rates: Mapping[str, Rates], shared: TrainingSettings
) -> list[SingleChange]:
    """Every pair that differs in one setting; `shared` is the section `training`. Seeds do not count as a setting."""
    settings = {result.key: settings_of(result, shared) for result in results}
    changes = []
    for a, b in combinations(results, 2):
        path = single_difference(settings[a.key], settings[b.key]) if a.experiment.lines == b.experiment.lines else None
        if path:
            values = (_value(settings[a.key], path), _value(settings[b.key], path))
            difference = rates[b.key].minus(rates[a.key], "cer")
            changes.append(SingleChange(a.experiment.lines, a, b, ".".join(path), values, difference))
    return changes


def settings_of(result: Result, shared: TrainingSettings) -> dict[str, Any]:
    """All that decides a result but its lines and seeds, with defaults."""
    merged = merge_training(result.experiment, shared.model_dump())
    training = validate(TrainingSettings, merged, prefix=("experiments", result.key, "training"))
    return {
        "loss": result.experiment.loss,
        "model": result.experiment.model.model_dump(),
        "training": training.model_dump(exclude={"seeds"}),
    }


def single_difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> Path | None:
    """The path of the one setting, the one block within a section, or the model, in which `a` and `b` differ."""
    paths = list(_differences(a, b))
    if len(paths) <= 1:
        return paths[0] if paths else None
    same = takewhile(lambda keys: len(set(keys)) == 1, zip(*paths, strict=False))
    shared: Path = tuple(keys[0] for keys in same)
    if shared == ("model",):
        return ("model", "name") if ("model", "name") in paths else None
    return shared if len(shared) > 1 else None


def _differences(a: Any, b: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in {**a, **b}:
            yield from _differences(a.get(key), b.get(key), (*path, key))
    elif a != b:
        yield path


def _value(settings: Any, path: Path) -> str:
    for key in path:
        settings = settings[key]
    if isinstance(settings, Mapping):
        # Names only say how; what says how much decides.
        return "set" if any(leaf for leaf in _leaves(settings) if not isinstance(leaf, str)) else "none"
    if isinstance(settings, bool):
        return "on" if settings else "off"
    return "none" if settings is None else str(settings)


def _leaves(block: Any) -> Iterator[Any]:
    if isinstance(block, Mapping):
        for value in block.values():
            yield from _leaves(value)
    else:
        yield block
