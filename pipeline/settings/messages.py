"""Faults in settings in the user's words: one line that names each key, what is allowed there, and the given value."""

import difflib
import re
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

KEY_RULE = "a key must be lower-case letters, digits and _, beginning with a letter"
MAX_VALUE_LENGTH = 80
PYDANTIC_SUBJECT = re.compile("^(Input|String|List|Dictionary) should")
"""How Pydantic's messages begin; ours begin with `must`."""


def one_line(text: str) -> str:
    """Remove line breaks from `text` and escape what a terminal cannot print."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))


def unknown_key(path: str, key: str, known: list[str]) -> str:
    """Say that `key` at `path` is unknown; propose the nearest known key, or list all of them."""
    return one_line(f"{path}: {_unknown(key, known)}")


def _unknown(key: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(str(key), [str(name) for name in known], n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(map(str, known)) or 'none'}"
    return f"unknown; {hint}"


def describe_errors(schema: type[BaseModel], error: ValidationError, prefix: tuple[str, ...]) -> str:
    """Describe every faulty key once, separated by `; `. Alternatives of a union are joined by `or`."""
    complaints: dict[str, str] = {}
    given: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        keys, complaint = _complaint(schema, problem)
        path = ".".join((*prefix, *keys))
        if path in complaints:
            complaints[path] += f" or {complaint.removeprefix('must be ')}"
        else:
            complaints[path], given[path] = complaint, _given(problem)
    return "; ".join(
        one_line(f"{path}: {complaint}{given[path]}" if path else f"{complaint}{given[path]}")
        for path, complaint in complaints.items()
    )


def _complaint(schema: type[BaseModel], problem: ErrorDetails) -> tuple[list[str], str]:
    """Return the keys that lead to the fault, and what is wrong there."""
    kind, location = problem["type"], [str(step) for step in problem["loc"]]
    is_key = kind in ("string_type", "string_pattern_mismatch") and location[-1] == "[key]"
    if is_key:
        location.pop()
    owner, keys = _resolve(schema, location)
    fields = owner.model_fields if owner else {}
    if kind in ("extra_forbidden", "invalid_key"):
        return keys, _unknown(location[-1], list(fields))
    if kind == "missing":
        return keys, f"missing; {(fields[location[-1]].description or 'required').rstrip('.')}"
    if kind.startswith("union_tag"):
        names = [name for model in _models_in(fields[location[-1]].annotation) for name in _names(model)]
        given = problem.get("ctx", {}).get("tag")
        return [*keys, "name"], f"must be one of {', '.join(names)}" + (f", got {given!r}" if given else "")
    if is_key:
        return keys, KEY_RULE
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return keys, "must be a block of keys"
    return keys, PYDANTIC_SUBJECT.sub("must", problem["msg"].removeprefix("Value error, "))


def _given(problem: ErrorDetails) -> str:
    value = problem["input"]
    if isinstance(value, dict | BaseModel) or problem["type"] in ("extra_forbidden", "invalid_key"):
        return ""
    try:
        text = "null" if value is None else repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or lists in lists
        text = f"a very long {type(value).__name__}"
    return f", got {text if len(text) <= MAX_VALUE_LENGTH else text[:MAX_VALUE_LENGTH] + '...'}"


def _resolve(schema: type[BaseModel], location: list[str]) -> tuple[type[BaseModel] | None, list[str]]:
    """Follow Pydantic's location: return the schema that owns its last step, and the keys as the file has them.

    Pydantic's location also names the chosen member of a union, which is no key of the file.
    """
    owner: type[BaseModel] | None = None
    keys: list[str] = []
    annotation: Any = schema
    for step in location:
        models = _models_in(annotation)
        if len(models) > 1:
            annotation = next((model for model in models if step in _names(model)), None)
            continue
        annotation = models[0] if models else annotation  # a block that may also be null
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            owner, field = annotation, annotation.model_fields.get(step)
            annotation = field.annotation if field else None
            keys.append(step)
        elif get_origin(annotation) is dict:
            owner, annotation = None, get_args(annotation)[1]
            keys.append(step)
        elif step.isdigit():
            keys.append(step)
    return owner, keys


def _names(schema: type[BaseModel]) -> tuple[str, ...]:
    """Return the values of `name` that choose this schema from a union."""
    return get_args(schema.model_fields["name"].annotation)


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    is_union = get_origin(annotation) in (Union, UnionType)
    return [model for part in get_args(annotation) for model in _models_in(part)] if is_union else []
