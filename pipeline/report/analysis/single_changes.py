"""The effect of single settings: pairs of experiments that differ in nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, takewhile
from typing import Any

from pipeline.report.analysis.bootstrap import Estimate
from pipeline.report.analysis.rates import Rates
from pipeline.report.analysis.results import Result
from pipeline.settings.base import validate
from pipeline.settings.experiment import TrainingSettings, merge_training

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class SingleChange:
    """Two experiments on the same lines, in the order of `params.yaml`, and the one setting in which they differ."""

    lines: str
    before: Result
    after: Result
    setting: str
    """Its key, or the key of the block that contains all differences."""
    values: tuple[str, str]
    difference: Estimate
    """CER after minus CER before, with the same lines and images."""


def find_single_changes(
    results: Sequence[Result], rates: Mapping[str, Rates], shared: TrainingSettings
) -> list[SingleChange]:
    """All pairs that differ in one setting, not counting seeds; `shared` is the section `training`."""
    settings = {result.key: resolve_settings(result, shared) for result in results}
    changes = []
    for a, b in combinations(results, 2):
        path = find_difference(settings[a.key], settings[b.key]) if a.experiment.lines == b.experiment.lines else None
        if path:
            values = (_format_value(settings[a.key], path), _format_value(settings[b.key], path))
            difference = rates[b.key].minus(rates[a.key], "cer")
            changes.append(SingleChange(a.experiment.lines, a, b, ".".join(path), values, difference))
    return changes


def resolve_settings(result: Result, shared: TrainingSettings) -> dict[str, Any]:
    """All settings that decide a result, with defaults, except its lines and seeds."""
    merged = merge_training(result.experiment, shared.model_dump())
    training = validate(TrainingSettings, merged, prefix=("experiments", result.key, "training"))
    return {
        "loss": result.experiment.loss,
        "model": result.experiment.model.model_dump(),
        "training": training.model_dump(exclude={"seeds"}),
    }


def find_difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> KeyPath | None:
    """The path of the one setting, block in a section, or model name in which `a` and `b` differ, if there is one."""
    paths = list(_differences(a, b))
    if len(paths) <= 1:
        return paths[0] if paths else None
    same = takewhile(lambda keys: len(set(keys)) == 1, zip(*paths, strict=False))
    shared: KeyPath = tuple(keys[0] for keys in same)
    if shared == ("model",):
        return ("model", "name") if ("model", "name") in paths else None
    return shared if len(shared) > 1 else None


def _differences(a: Any, b: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in {**a, **b}:
            yield from _differences(a.get(key), b.get(key), (*path, key))
    elif a != b:
        yield path


def _format_value(settings: Any, path: KeyPath) -> str:
    for key in path:
        settings = settings[key]
    if isinstance(settings, Mapping):
        # A block has an effect if a number or switch in it is not 0 or off. Names alone have none.
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
