"""How fast a stage was, and on which machine. A file of its own, since the other outputs are the same in every run."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.common.paths import Stage


@dataclass(frozen=True)
class Timing:
    """The speed of one stage of one experiment."""

    by_seed: Annotated[Mapping[str, float], Field(min_length=1)]
    """By seed: seconds of the training, or lines per second of the evaluation or beam search; to a tenth."""
    precision: str
    machine: str

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return fmean(self.by_seed.values())


def write_timing(key: str, stage: Stage, by_seed: Mapping[int, float], precision: str) -> None:
    """Write the timing of an experiment or a beam search, with a description of this machine."""
    from pipeline.runtime.machine import describe_machine  # imports torch, which `read_timing` does not need

    rounded = {str(seed): round(value, 1) for seed, value in by_seed.items()}
    content = asdict(Timing(rounded, precision, describe_machine()))
    write_text(paths.timings(key, stage), json.dumps(content, indent=2) + "\n")


def read_timing(key: str, stage: Stage) -> Timing:
    """Read a file of `write_timing`.

    Raises:
        InputError: the file is absent or damaged; the message names the command that makes it.
    """
    path = paths.timings(key, stage)
    try:
        return TypeAdapter(Timing).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = getattr(error, "strerror", None) or "not what the stage writes"
        raise InputError(f"{path}: cannot be read ({reason}); run `dvc repro {stage}@{key}`") from None
