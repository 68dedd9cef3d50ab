"""Bad versions of params.yaml: wrong values for every key, and files that are not settings."""

import io
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from reliability.cases import DIRECTORY, Case
from reliability.workspaces import EXPERIMENT

WRONG: dict[type, tuple[object, ...]] = {
    bool: ("yes", 2, None),
    int: ("many", -1, 1.5, True, 10**400),
    float: ("much", -1, float("nan"), float("inf"), True),
    str: (5, [], {"a": 1}),
    list: ("https://example.org", [], [None]),
    type(None): (True, [], {"a": 1}),
}
ANY_NUMBER = "devices"
"""A key that accepts any integer; -1 means all."""
CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "more overlap at least than at most": {"lines.variable.min_overlap": 0.5},
    "too few steps for CTC": {f"experiments.{EXPERIMENT}.model.window_stride": 64},
    "a loss that is none": {f"experiments.{EXPERIMENT}.loss": "ctx"},
    "a model that is none": {f"experiments.{EXPERIMENT}.model.name": "line_rnn"},
    "lines that are none": {f"experiments.{EXPERIMENT}.lines": "variabel"},
    "cross-entropy with too many steps": {f"experiments.{EXPERIMENT}.loss": "ce"},
    "an experiment's training key that is none": {f"experiments.{EXPERIMENT}.training": {"epochs": 3}},
    "an archive without a path": {"emnist.source": "archive", "emnist.archive": None},
    "a corpus without a path": {"corpus.source": "archive", "corpus.archive": None},
    "a hash of another length": {"emnist.nist.sha256": "abc"},
    "no lines": {"lines": {}},
    "no experiments": {"experiments": {}},
    "a name of lines with a dot": {"lines": {"a.b": {}}},
}
TEXTS = {
    "not YAML": b"emnist: [",
    "a tab": b"emnist:\n\tsource: nist\n",
    "a list": b"- emnist\n",
    "a number": b"5\n",
    "nothing": b"",
    "bytes that are no UTF-8": b"emnist: \xff\xfe\n",
    "zeros": bytes(100),
    "a key twice": b"emnist: {}\nemnist: {}\n",
    "a tag that runs code": b"emnist: !!python/object/apply:os.system ['true']\n",
    "an alias to nothing": b"emnist: *nothing\n",
    "brackets in brackets": b"[" * 100_000,
    "aliases of aliases": b"a: &a [x, x]\n"
    + b"".join(b"%c: &%c [*%c, *%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 123)),
}


def settings_cases(root: Path) -> Iterator[Case]:
    """Yield the cases for the stage `check`."""
    params = YAML(typ="safe", pure=True).load(root / "params.yaml")
    for name, content in {**TEXTS, "absent": None, "a directory": DIRECTORY}.items():
        yield Case("settings", name, "check", "params.yaml", content)
    for path, value in _leaves(params):
        for wrong in WRONG[type(value)]:
            if not (path[-1] == ANY_NUMBER and isinstance(wrong, int)):
                yield _case(params, {".".join(path): wrong}, f"{'.'.join(path)} = {str(wrong)[:20]}")
    for block in ("emnist", "corpus", "lines", "training", "experiments"):
        yield _case(params, {f"{block}s": 1}, f"{block}s beside {block}")
        yield _case({key: value for key, value in params.items() if key != block}, {}, f"without {block}")
    for name, changes in CONTRADICTIONS.items():
        yield _case(params, changes, name)


def _leaves(block: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _case(params: Mapping[str, Any], changes: Mapping[str, Any], name: str) -> Case:
    return Case("settings", name, "check", "params.yaml", change_params(params, changes))


def change_params(params: Mapping[str, Any], changes: Mapping[str, Any]) -> bytes:
    """Return params.yaml with other values, given by paths such as `corpus.source`."""
    copy = deepcopy(dict(params))
    for path, value in changes.items():
        *parents, key = path.split(".")
        block = copy
        for parent in parents:
            block = block[parent]
        block[key] = value
    stream = io.BytesIO()
    YAML(typ="safe", pure=True).dump(copy, stream)
    return stream.getvalue()
