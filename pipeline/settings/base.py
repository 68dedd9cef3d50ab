"""What all settings share: strict types, no unknown keys, and errors that name the key."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning, YAMLError

from pipeline.common.errors import InputError
from pipeline.settings.messages import describe_errors, one_line, unknown_key

PARAMS_FILE = Path("params.yaml")
Seed = Annotated[int, Field(ge=0, lt=2**32)]
NO_FILE = "data/none"
"""Stands for "no file" in `params.yaml`: `dvc.yaml` makes some settings dependencies, and DVC needs a file for each."""


def _path_or_none(value: object) -> str | None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be a path, or {NO_FILE} for no file")
    if "://" in value:
        raise ValueError("must be a path, not an address")
    if value.startswith("~"):
        raise ValueError(f"DVC does not know ~; write {Path(value).expanduser()}")
    return None if Path(value) == Path(NO_FILE) else value


OptionalPath = Annotated[str | None, BeforeValidator(_path_or_none)]
"""Path of a file or folder, absolute or from the project's root; `NO_FILE` becomes None."""


class Settings(BaseModel):
    """A block of `params.yaml`. Unknown keys and wrong types are refused, and nothing is converted.

    The string below a field describes it, and stands in the error if the key is missing.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


AnySettings = TypeVar("AnySettings", bound=BaseModel)


def read_params(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """Read `params.yaml` as DVC does: with ruamel, as YAML 1.2, without Python objects.

    Raises:
        InputError: the file is absent, is not YAML, or has no keys at its top.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)  # YAML 1.2 allows it
            content = YAML(typ="safe", pure=True).load(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); run from the project's root") from None
    except RecursionError:
        raise InputError(f"{path}: not valid YAML: nested too deeply") from None
    # ruamel also raises LookupError or ValueError for a tag such as `!!bool` before a value of another type, and
    # TypeError for a mapping as a key.
    except (YAMLError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not valid YAML: {one_line(str(error))}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected sections such as 'emnist:' and 'experiments:' at the top")
    return content


def read_section(schema: type[AnySettings], *keys: str, params: Mapping[str, Any] | None = None) -> AnySettings:
    """Validate only the block of `params.yaml` at `keys`, so that a stage does not depend on the others.

    Raises:
        InputError: the block is absent or not valid; one line names every problem.
    """
    block: Any = read_params() if params is None else params
    for depth, key in enumerate(keys):
        if not isinstance(block, Mapping) or key not in block:
            known = list(block) if isinstance(block, Mapping) else []
            raise InputError(f"{PARAMS_FILE}: {unknown_key('.'.join(keys[: depth + 1]), key, known)}")
        block = block[key]
    return validate(schema, block, prefix=keys)


def validate(
    schema: type[AnySettings], block: object, prefix: tuple[str, ...] = (), file: Path = PARAMS_FILE
) -> AnySettings:
    """Build `schema` from `block`, which is at the keys `prefix` of `file`.

    Raises:
        InputError: the block is not valid; one line names the file and each faulty key.
    """
    try:
        return schema.model_validate(block)
    except ValidationError as error:
        raise InputError(f"{file}: {describe_errors(schema, error, prefix)}") from None
