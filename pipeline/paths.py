"""Where the stages of an experiment keep their files, relative to the project's root."""

from pathlib import Path


def lines(name: str) -> Path:
    """The data set of lines called `name`."""
    return Path("data/lines") / f"{name}.h5"


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
    """What evaluation measured on the test lines."""
    return Path("metrics") / f"{experiment}.json"


def predictions(experiment: str) -> Path:
    """Every test line with its reading, for each seed."""
    return Path("predictions") / f"{experiment}.csv"


def timings(experiment: str, stage: str) -> Path:
    """How long stage `train` or `evaluate` of an experiment took; the only outputs that differ from run to run."""
    return Path("timings") / f"{experiment}_{stage}.json"
