"""Paths of the stages' outputs, relative to the project's root."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

Stage = Literal["train", "evaluate", "decode"]
"""The stages that are timed."""
LANGUAGE_MODEL = Path("data/language_model.h5")
"""Of the corpus, for synthetic lines."""


def lines(name: str) -> Path:
    """The data set of lines called `name`."""
    return Path("data/lines") / f"{name}.h5"


def pretrained(name: str) -> Path:
    """The checkpoint of a recognizer that others trained."""
    return Path("data/pretrained") / f"{name}.ckpt"


def language_model(name: str) -> Path:
    """The language model `name` of `own_language_models`."""
    return Path("data/language_models") / f"{name}.h5"


def models(experiment: str) -> Path:
    """The folder of an experiment's checkpoints, one for each seed."""
    return Path("models") / experiment


def checkpoint(experiment: str, seed: int) -> Path:
    """The best weights of an experiment's training with one seed."""
    return models(experiment) / f"seed_{seed}.ckpt"


def history(experiment: str) -> Path:
    """One row per seed and epoch of an experiment's trainings."""
    return Path("history") / f"{experiment}.csv"


def metrics(experiment: str) -> Path:
    """Error rates of greedy decoding on the test lines."""
    return Path("metrics") / f"{experiment}.json"


def predictions(experiment: str) -> Path:
    """Every test line with its prediction, for each seed."""
    return Path("predictions") / f"{experiment}.csv"


def decoding_metrics(decoding: str) -> Path:
    """Error rates of a beam search on the test lines, and the calibration of its confidence."""
    return Path("decodings") / f"{decoding}.json"


def decoding_predictions(decoding: str) -> Path:
    """Every test line with the prediction of a beam search, for each seed."""
    return Path("decodings") / f"{decoding}.csv"


def timings(key: str, stage: Stage) -> Path:
    """Seconds or lines per second of a stage, for each seed: the only outputs that differ from run to run.

    Beam searches have their own folder, so that the stage `compare` does not wait for them.
    """
    return Path("decoding_timings" if stage == "decode" else "timings") / f"{key}_{stage}.json"


def describe_strays(expected: Iterable[Path]) -> str:
    """Name what else lies in the folders of the `expected` outputs, and say what to do; empty if there is nothing."""
    outputs = set(expected)
    folders = sorted({path.parent for path in outputs})
    strays = [str(path) for folder in folders for path in sorted(folder.glob("[!.]*")) if path not in outputs]
    if not strays:
        return ""
    return (
        f"ignored {', '.join(strays)}: no outputs of params.yaml, but DVC counts them as changes; "
        "move them away (`dvc checkout` removes its own), then run `dvc repro`"
    )
