"""The common ground of all settings: strict types, no unknown keys, errors that name the key."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import InputError

PARAMS_FILE = Path("params.yaml")


class Settings(BaseModel):
    """A block of `params.yaml`. Unknown keys and silently converted types are refused."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


AnySettings = TypeVar("AnySettings", bound=BaseModel)


def read_params(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """Read `params.yaml` with the YAML dialect that DVC itself uses (ruamel, YAML 1.2).

    Raises:
        InputError: the file is absent, is not YAML, or is not a mapping at its top.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); run from the project's root") from None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected sections such as 'emnist:' and 'experiments:' at the top")
    return content


def read_section(schema: type[AnySettings], *keys: str, params: Mapping[str, Any] | None = None) -> AnySettings:
    """Validate the block of `params.yaml` found under `keys` alone, so that a stage needs no other.

    Raises:
        InputError: the block is absent or not valid; every problem is named, on one line.
    """
    block: Any = read_params() if params is None else params
    for depth, key in enumerate(keys):
        if not isinstance(block, Mapping) or key not in block:
            known = list(block) if isinstance(block, Mapping) else []
            raise InputError(f"{PARAMS_FILE}: {unknown_key('.'.join(keys[: depth + 1]), key, known)}")
        block = block[key]
    return validate(schema, block, prefix=keys)


def validate(schema: type[AnySettings], block: Any, prefix: tuple[str, ...] = ()) -> AnySettings:
    """Build `schema` from `block`, or raise an `InputError` that names each faulty key."""
    try:
        return schema.model_validate(block)
    except ValidationError as error:
        problems = "; ".join(_describe(schema, error, prefix))
        raise InputError(f"{PARAMS_FILE}: {problems}") from None


def unknown_key(path: str, key: str, known: list[str]) -> str:
    """Say that `key` is not known at `path`, with the nearest one that is, or all of them."""
    nearest = difflib.get_close_matches(str(key), [str(name) for name in known], n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(map(str, known)) or 'none'}"
    return f"{path}: unknown; {hint}"


def _describe(schema: type[BaseModel], error: ValidationError, prefix: tuple[str, ...]) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_context=False):
        steps = [str(step) for step in problem["loc"]]
        owner, shown = _walk(schema, steps)
        path = ".".join((*prefix, *shown))
        if problem["type"] == "extra_forbidden":
            yield unknown_key(path, steps[-1], list(owner.model_fields) if owner else [])
        elif problem["type"] == "missing":
            yield f"{path}: missing; {_field_help(owner, steps[-1])}"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            got = "" if isinstance(problem["input"], (dict, BaseModel)) else f", got {problem['input']!r}"
            yield f"{path}: {message}{got}" if path else message


def _field_help(owner: type[BaseModel] | None, name: str) -> str:
    field = owner.model_fields.get(name) if owner else None
    return field.description if field and field.description else "required"


def _walk(schema: type[BaseModel], steps: list[str]) -> tuple[type[BaseModel] | None, list[str]]:
    """Follow an error's location: the schema that owns its last step, and the steps a user wrote.

    Pydantic puts the tag of a discriminated union into the location, which is no key of the file.
    """
    owner: type[BaseModel] | None = schema
    candidates: list[type[BaseModel]] = [schema]
    shown: list[str] = []
    for step in steps:
        tagged = next((c for c in candidates if len(candidates) > 1 and step in _tags(c)), None)
        if tagged is not None:
            candidates = [tagged]
            continue
        shown.append(step)
        owner = candidates[0] if len(candidates) == 1 else None
        field = owner.model_fields.get(step) if owner else None
        candidates = _models_in(field.annotation) if field else candidates if owner is None else []
    return owner, shown


def _tags(schema: type[BaseModel]) -> set[str]:
    name = schema.model_fields.get("name")
    return set(getattr(name.annotation, "__args__", ())) if name else set()


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for argument in getattr(annotation, "__args__", ()):
        found.extend(_models_in(argument))
    return found
