"""The common ground of all settings: strict types, no unknown keys, errors that name the key."""

import difflib
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning, YAMLError

from pipeline.common.errors import InputError

PARAMS_FILE = Path("params.yaml")
KEY_RULE = "a key must be lower-case letters, digits and _, beginning with a letter"
LONGEST_VALUE = 80
SUBJECT = re.compile("^(Input|String|List|Dictionary) should")
"""How Pydantic's messages begin."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)  # YAML 1.2 allows it
            content = YAML(typ="safe", pure=True).load(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); run from the project's root") from None
    except RecursionError:
        raise InputError(f"{path}: not valid YAML: nested too deeply") from None
    # Beside YAMLError, a tag such as `!!bool` before a value of another kind ends in a LookupError or ValueError, and a
    # mapping as a key in a TypeError.
    except (YAMLError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not valid YAML: {one_line(str(error))}") from None
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


def validate(
    schema: type[AnySettings], block: object, prefix: tuple[str, ...] = (), file: Path = PARAMS_FILE
) -> AnySettings:
    """Build `schema` from `block`, or raise an `InputError` that names `file` and each faulty key."""
    try:
        return schema.model_validate(block)
    except ValidationError as error:
        problems = "; ".join(_describe(schema, error, prefix))
        raise InputError(f"{file}: {problems}") from None


def unknown_key(path: str, key: str, known: list[str]) -> str:
    """Say that `key` is not known at `path`, with the nearest one that is, or all of them."""
    return one_line(f"{path}: {_unknown(key, known)}")


def _unknown(key: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(str(key), [str(name) for name in known], n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(map(str, known)) or 'none'}"
    return f"unknown; {hint}"


def one_line(text: str) -> str:
    """`text` without line breaks, and with whatever else a terminal cannot print escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))


def _describe(schema: type[BaseModel], error: ValidationError, prefix: tuple[str, ...]) -> Iterator[str]:
    """One complaint for each faulty key; what the branches of a union ask for is joined by `or`."""
    complaints: dict[str, str] = {}
    values: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        steps, complaint = _complaint(schema, problem)
        path = ".".join((*prefix, *steps))
        if path in complaints:
            complaints[path] += f" or {complaint.removeprefix('must be ')}"
        else:
            complaints[path], values[path] = complaint, _got(problem)
    for path, complaint in complaints.items():
        yield one_line(f"{path}: {complaint}{values[path]}" if path else f"{complaint}{values[path]}")


def _complaint(schema: type[BaseModel], problem: ErrorDetails) -> tuple[list[str], str]:
    """The steps to the faulty key, and what is wrong with it."""
    kind, steps = problem["type"], [str(step) for step in problem["loc"]]
    is_key = kind in ("string_type", "string_pattern_mismatch") and steps[-1] == "[key]"
    if is_key:
        steps.pop()
    owner, shown = _walk(schema, steps)
    fields = owner.model_fields if owner else {}
    if kind in ("extra_forbidden", "invalid_key"):
        return shown, _unknown(steps[-1], list(fields))
    if kind == "missing":
        return shown, f"missing; {(fields[steps[-1]].description or 'required').rstrip('.')}"
    if kind.startswith("union_tag"):
        tags = [tag for model in _models_in(fields[steps[-1]].annotation) for tag in _tags(model)]
        tag = problem.get("ctx", {}).get("tag")
        return [*shown, "name"], f"must be one of {', '.join(tags)}" + (f", got {tag!r}" if tag else "")
    if is_key:
        return shown, KEY_RULE
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return shown, "must be a block of keys"
    return shown, SUBJECT.sub("must", problem["msg"].removeprefix("Value error, "))


def _got(problem: ErrorDetails) -> str:
    value = problem["input"]
    if isinstance(value, dict | BaseModel) or problem["type"] in ("extra_forbidden", "invalid_key"):
        return ""
    try:
        text = "null" if value is None else repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or lists in lists
        text = f"a very long {type(value).__name__}"
    return f", got {text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + '...'}"


def _walk(schema: type[BaseModel], steps: list[str]) -> tuple[type[BaseModel] | None, list[str]]:
    """Follow an error's location: the schema that owns its last step, and the steps that a user wrote.

    Pydantic puts the tags of unions into the location, which are no keys of the file.
    """
    owner: type[BaseModel] | None = None
    shown: list[str] = []
    annotation: Any = schema
    for step in steps:
        models = _models_in(annotation)
        if len(models) > 1:
            annotation = next((model for model in models if step in _tags(model)), None)
            continue
        annotation = models[0] if models else annotation  # a block that may also be null
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            owner, field = annotation, annotation.model_fields.get(step)
            annotation = field.annotation if field else None
            shown.append(step)
        elif get_origin(annotation) is dict:
            owner, annotation = None, get_args(annotation)[1]
            shown.append(step)
        elif step.isdigit():
            shown.append(step)
    return owner, shown


def _tags(schema: type[BaseModel]) -> tuple[str, ...]:
    return get_args(schema.model_fields["name"].annotation)


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    is_union = get_origin(annotation) in (Union, UnionType)
    return [model for part in get_args(annotation) for model in _models_in(part)] if is_union else []
