"""Where the stages of an experiment keep their files, relative to the project's root."""

from pathlib import Path


def lines(name: str) -> Path:
    """The data set of lines called `name`."""
    return Path("data/lines") / f"{name}.h5"


def checkpoint(experiment: str) -> Path:
    """The best weights of an experiment."""
    return Path("models") / f"{experiment}.ckpt"


def history(experiment: str) -> Path:
    """One row per epoch of an experiment's training."""
    return Path("history") / f"{experiment}.csv"


def metrics(experiment: str) -> Path:
    """What evaluation measured on the test lines."""
    return Path("metrics") / f"{experiment}.json"


def predictions(experiment: str) -> Path:
    """Every test line with its reading."""
    return Path("predictions") / f"{experiment}.csv"
