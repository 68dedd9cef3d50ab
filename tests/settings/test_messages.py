import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.settings.base import read_params
from pipeline.settings.messages import unknown_key
from pipeline.settings.project import ProjectSettings, check_project
from tests.archives import outcome

SHIPPED = read_params(Path(__file__).parents[2] / "params.yaml")

CNN = "experiments.cnn_ctc_matched"


def at(params: Any, path: str) -> Any:
    for key in path.split(".") if path else ():
        params = params[key]
    return params


def refusal(*changes: tuple[str, object]) -> str:
    """The line that refuses the shipped settings with these paths set otherwise, less the file's name."""
    params = copy.deepcopy(SHIPPED)
    for path, value in changes:
        block, _, key = path.rpartition(".")
        at(params, block)[key] = value
    with pytest.raises(InputError) as error:
        check_project(params)
    file, message = str(error.value).split(": ", 1)
    assert file == "params.yaml"
    assert message.isprintable()
    return message


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (f"{CNN}.model.window_strid", 20, "unknown; did you mean window_stride?"),
        ("experiment", {}, "unknown; did you mean experiments?"),
        ("training.trainer.gpus", 1, "unknown; known: accelerator, devices, num_nodes, strategy, precision, "),
        ("emnist.glyphs.x", 1, "unknown; known: train_per_class, test_per_class"),
        (f"{CNN}.model.lstm_dim", 5, "unknown; known: name, window_width, window_stride, limit_output_length, "),
        (f"{CNN}.model.name", "resnet", "must be one of line_cnn_simple, line_cnn, line_cnn_lstm, "),
        (f"{CNN}.loss", "CTC", "must be 'ce' or 'ctc', got 'CTC'"),
        ("training.learning_rate", "1e-3", "must be a valid number, got '1e-3'"),
        ("training.learning_rate", float("nan"), "must be a finite number, got nan"),
        ("training.learning_rate", 0, "must be greater than 0, got 0"),
        ("training.max_epochs", 10.0, "must be a valid integer, got 10.0"),
        ("training.max_epochs", True, "must be a valid integer, got True"),
        ("training.one_cycle", "yes", "must be a valid boolean, got 'yes'"),
        ("training.one_cycle", 1, "must be a valid boolean, got 1"),
        ("training.trainer.strategy", 5, "must be a valid string, got 5"),
        ("training.seeds", 42, "must be a valid list, got 42"),
        ("training.seeds", [], "must have at least 1 item after validation, not 0, got []"),
        ("training.seeds", [3, 4, 3], "must name each seed once, got [3, 4, 3]"),
        ("training.seeds", list(range(33)), "must have at most 32 items after validation, not 33, got [0, 1, 2"),
        ("training.seed", 42, "unknown; did you mean seeds?"),
        ("training.trainer.devices", "all", "must be a valid integer or 'auto' or a valid list, got 'all'"),
        ("training.trainer", None, "must be a block of keys, got null"),
        ("emnist.nist.sha256", "ABC", "must match pattern '^[0-9a-f]{64}$', got 'ABC'"),
        ("emnist.nist.urls", [], "must have at least 1 item after validation, not 0, got []"),
        ("experiments", [], "must be a block of keys, got []"),
        (f"{CNN}.model", 5, "must be a block of keys, got 5"),
        ("training.trainer.strategy", ["x" * 500], f"must be a valid string, got ['{'x' * 78}..."),
        ("training.trainer.strategy", [16**5000], "must be a valid string, got a very long list"),
    ],
)
def test_a_faulty_key_is_named_with_what_is_allowed(path: str, value: object, message: str) -> None:
    line = refusal((path, value))
    assert line.startswith(f"{path}: {message}")
    assert "; experiments." not in line


def test_steps_by_themselves_need_a_strategy_that_they_replace() -> None:
    line = refusal(("training.local_steps", 8), ("training.trainer.strategy", "fsdp"))
    assert line.startswith("training: local_steps: 8 needs trainer.strategy auto or ddp, not 'fsdp'")


def test_an_element_of_a_list_is_named_by_its_place() -> None:
    assert refusal(("emnist.nist.urls", ["a", 5])) == "emnist.nist.urls.1: must be a valid string, got 5"
    assert refusal(("training.seeds", [1, 2**32])) == "training.seeds.1: must be less than 4294967296, got 4294967296"
    assert refusal(("training.seeds", [-1])) == "training.seeds.0: must be greater than or equal to 0, got -1"


def test_a_model_without_a_name_learns_which_there_are() -> None:
    message = f"{CNN}.model.name: must be one of line_cnn_simple, line_cnn, line_cnn_lstm, "
    assert refusal((f"{CNN}.model", {"window_width": 28})).startswith(message)


def test_a_missing_key_comes_with_its_description() -> None:
    block = {key: value for key, value in SHIPPED["training"].items() if key != "batch_size"}
    assert refusal(("training", block)) == "training.batch_size: missing; Lines per batch and device"


def test_all_faults_stand_in_one_line() -> None:
    line = refusal((f"{CNN}.model.conv_dim", "x"), (f"{CNN}.model.fc_dim", 0), ("emnist.seed", 1.5))
    assert line == (
        "emnist.seed: must be a valid integer, got 1.5; "
        f"{CNN}.model.conv_dim: must be a valid integer, got 'x'; "
        f"{CNN}.model.fc_dim: must be greater than or equal to 1, got 0"
    )


@pytest.mark.parametrize(
    ("key", "shown"), [("a\nb", "a b"), ("a\x1b[31m", "a\\x1b[31m"), (5, "5"), (None, "None"), (("a",), "('a',)")]
)
def test_a_strange_key_stays_on_the_line(key: object, shown: str) -> None:
    with pytest.raises(InputError) as error:
        check_project({**SHIPPED, key: 1})  # type: ignore[dict-item]
    known = ", ".join(SHIPPED)
    assert str(error.value) == f"params.yaml: {shown}: unknown; known: {known}"


def test_something_else_than_settings_is_refused() -> None:
    with pytest.raises(InputError, match=r"^params.yaml: must be a block of keys, got 5$"):
        check_project(5)  # type: ignore[arg-type]


def test_the_nearest_known_key_is_proposed() -> None:
    assert unknown_key("a.b", "b", ["c", "bb"]) == "a.b: unknown; did you mean bb?"
    assert unknown_key("a.b", "xyz", ["c", "bb"]) == "a.b: unknown; known: c, bb"


def leaves(block: Any, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The path of every key and list element, blocks included."""
    keys: Any = block if isinstance(block, dict) else range(len(block)) if isinstance(block, list) else ()
    return [found for key in keys for found in [(*path, key), *leaves(block[key], (*path, key))]]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates()
values = st.recursive(
    scalars | st.sampled_from([10**400, "ctc", "line_cnn", "archive", "matched", 0.25, 8, 28]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars.filter(lambda x: x == x), inner, max_size=3),
    max_leaves=5,
)
changes = st.lists(
    st.tuples(st.sampled_from(leaves(SHIPPED)), st.sampled_from(["delete", "replace", "rename", "add"]), values),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(changes)
def test_random_changes_give_settings_or_one_line(edits: list[tuple[tuple[Any, ...], str, Any]]) -> None:
    params = copy.deepcopy(SHIPPED)
    for path, edit, value in edits:
        block: Any = params
        try:
            for key in path[:-1]:
                block = block[key]
            old = block[path[-1]]
        except (LookupError, TypeError):  # an earlier edit took it away
            continue
        if edit == "replace":
            block[path[-1]] = value
        elif edit == "delete":
            del block[path[-1]]
        elif isinstance(block, dict):
            name = value if isinstance(value, str | int | None) else "window_strid"
            block[name] = block.pop(path[-1]) if edit == "rename" else old
    result = outcome(partial(check_project, params))
    if isinstance(result, str):
        assert result.startswith("params.yaml: ")
        assert result.isprintable()
        assert len(result) > len("params.yaml: ") + 10
    else:
        assert isinstance(result, ProjectSettings)
