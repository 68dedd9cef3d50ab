"""What a stage takes of a machine: the section `cluster` of `params.yaml`."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.settings.base import PARAMS_FILE, Settings, read_params, validate


class ClusterSettings(Settings):
    """The room that each process of a stage takes on a cluster. A training has a process for each device."""

    cpus: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processor cores, and so threads."""
    gpus: Annotated[float, Field(ge=0, le=64)] = 0
    """GPUs for training, evaluation and decoding; 0.25 lets four stages share one."""
    memory: Annotated[float, Field(gt=0)] = 2
    """Memory in GiB."""

    @model_validator(mode="after")
    def _whole_gpus(self) -> Self:
        if self.gpus > 1 and self.gpus % 1:
            raise ValueError(f"gpus: {self.gpus}: above 1, only whole numbers")
        return self


def read_cluster_settings() -> ClusterSettings:
    """Read the section `cluster`, or its defaults where there is none.

    Raises:
        InputError: it is not valid.
    """
    params = read_params() if PARAMS_FILE.exists() else {}
    return validate(ClusterSettings, params.get("cluster", {}), prefix=("cluster",))
