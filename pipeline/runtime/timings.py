"""How fast a stage was, and on what: kept beside its other outputs, which are the same bytes from run to run."""

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
    """Of one stage of one experiment."""

    by_seed: Annotated[Mapping[str, float], Field(min_length=1)]
    """Seconds of each seed's training, or lines per second of its reading or of its beam search, to a tenth."""
    precision: str
    machine: str

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.by_seed.values())


def write_timing(key: str, stage: Stage, by_seed: Mapping[int, float], precision: str) -> None:
    """Keep what was timed of an experiment, or of a beam search, on this machine."""
    from pipeline.runtime.machine import describe_machine  # imports torch, which reading can do without

    rounded = {str(seed): round(value, 1) for seed, value in by_seed.items()}
    content = asdict(Timing(rounded, precision, describe_machine()))
    write_text(paths.timings(key, stage), json.dumps(content, indent=2) + "\n")


def read_timing(key: str, stage: Stage) -> Timing:
    """What `write_timing` kept.

    Raises:
        InputError: the file is absent or damaged; the message says what makes it.
    """
    path = paths.timings(key, stage)
    try:
        return TypeAdapter(Timing).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = getattr(error, "strerror", None) or "not what the stage writes"
        raise InputError(f"{path}: cannot be read ({reason}); run `dvc repro {stage}@{key}`") from None
