import copy
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.common.errors import InputError
from pipeline.settings.base import Settings, read_params, read_section, unknown_key
from pipeline.settings.lines import LinesSettings
from pipeline.settings.project import ProjectSettings, check_project
from pipeline.settings.sources import EmnistSettings
from tests.archives import outcome

SHIPPED = read_params(Path(__file__).parents[2] / "params.yaml")


def read(folder: Path, content: str | bytes) -> Any:
    path = folder / "params.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_params(path)


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


# Reading YAML.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("10", 10),
        ("017", 17),  # YAML 1.1 has 15 here
        ("0o17", 15),
        ("yes", "yes"),  # YAML 1.1 has True here
        ("off", "off"),
        ("1:30", "1:30"),  # YAML 1.1 has 90 here
        ("true", True),
        ("null", None),
        ("~", None),
        ("'5'", "5"),
    ],
)
def test_yaml_is_read_as_dvc_reads_it(tmp_path: Path, text: str, value: object) -> None:
    read_value = read(tmp_path, f"key: {text}")["key"]
    assert read_value == value
    assert type(read_value) is type(value)


def test_an_anchor_may_be_used_again(tmp_path: Path) -> None:
    content = "a: &x 1\nb: *x\nc: &x 2\nd: *x\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path, content) == {"a": 1, "b": 1, "c": 2, "d": 2}


@pytest.mark.parametrize(
    "content",
    [
        "emnist: [1, 2",
        "a: b: c",
        "a: 1\na: 2",
        "\ta: 1",
        "a: !!bool maybe",
        "a: !!int ",
        "a: !unknown 1",
        "a: !!python/object/apply:os.getcwd []",
        "a: *nowhere",
        "a: 2020-13-45",
        "? {a: b}\n: c",
        "a: 1\n---\nb: 2",
        "[" * 2000,
        b"a: \xff",
        b"\x00",
        b"\xfe\xff\x00",
        b"? - : ",
    ],
)
def test_damaged_yaml_is_refused_in_one_line(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path}/params.yaml: not valid YAML: ")
    assert str(error.value).isprintable()


def test_damaged_yaml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 2, column 5"):
        read(tmp_path, "a: 1\nb: c: d\n")


@pytest.mark.parametrize("content", ["", "# nothing\n", "- a\n- b\n", "text", "5"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match=r"params\.yaml: expected sections such as 'emnist:' and 'experiments:'"):
        read(tmp_path, content)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    missing = tmp_path / "params.yaml"
    with pytest.raises(InputError) as error:
        read_params(missing)
    assert str(error.value) == f"{missing}: cannot be read (No such file or directory); run from the project's root"
    with pytest.raises(InputError, match="cannot be read"):
        read_params(tmp_path)


pieces = st.sampled_from(
    ["a", "é", "1", "1e5", "0x", "2020-01-01", ": ", "- ", "? ", "\n", "  ", "\t", "&x ", "*x ", "<<: ", "#", "|\n"]
    + ["'", '"', "\\u12", "{", "}", "[", "]", ",", "---\n", "...\n", "%YAML 1.1\n", "%TAG ! a\n", "\x00", "\u2028"]
    + [f"!!{tag} " for tag in ("bool", "int", "float", "null", "timestamp", "binary", "set", "omap", "str", "merge")]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("params")


@settings(max_examples=300, deadline=None)
@given(st.lists(pieces, max_size=12).map(lambda parts: "".join(parts).encode()) | st.binary(max_size=50))
def test_random_files_give_a_mapping_or_one_line(folder: Path, content: bytes) -> None:
    result = outcome(partial(read, folder, content))
    if isinstance(result, str):
        assert result.startswith(f"{folder}/params.yaml: ")
        assert result.isprintable()
    else:
        assert isinstance(result, dict)


# Reading one section.


def test_a_section_needs_no_other() -> None:
    only = {"lines": {"matched": SHIPPED["lines"]["matched"], "broken": {"max_length": "x"}}}
    section = read_section(LinesSettings, "lines", "matched", params=only)
    assert (section.max_length, section.min_overlap, section.train) == (32, 0.25, 10000)


def test_a_section_is_read_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    YAML(typ="safe", pure=True).dump(SHIPPED, Path("params.yaml"))
    assert read_section(EmnistSettings, "emnist").source == "nist"


@pytest.mark.parametrize(
    ("keys", "params", "message"),
    [
        (("lines", "mached"), SHIPPED, "lines.mached: unknown; did you mean matched?"),
        (("lines", "x"), SHIPPED, "lines.x: unknown; known: aligned, matched, variable"),
        (("emnist",), {}, "emnist: unknown; known: none"),
        (("lines", "x"), {"lines": None}, "lines.x: unknown; known: none"),
        (("lines", "x"), {"lines": {"x": [1]}}, "lines.x: must be a block of keys, got [1]"),
        (
            ("lines", "x"),
            {"lines": {"x": {**SHIPPED["lines"]["matched"], "max_length": 2}}},
            "lines.x.max_length: must be greater than or equal to 3, got 2",
        ),
    ],
)
def test_a_section_that_cannot_be_used_is_named(keys: tuple[str, ...], params: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        read_section(LinesSettings, *keys, params=params)
    assert str(error.value) == f"params.yaml: {message}"


# Refusing what is not described.

CNN = "experiments.cnn_ctc_matched"


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
        ("training.load", 5, "must be a valid string, got 5"),
        ("training.seeds", 42, "must be a valid list, got 42"),
        ("training.seeds", [], "must have at least 1 item after validation, not 0, got []"),
        ("training.seeds", [3, 4, 3], "must name each seed once, got [3, 4, 3]"),
        ("training.seeds", list(range(33)), "must have at most 32 items after validation, not 33, got [0, 1, 2"),
        ("training.seed", 42, "unknown; did you mean seeds?"),
        ("training.trainer.devices", "all", "must be a valid integer or 'auto' or a valid list, got 'all'"),
        ("training.trainer", None, "must be a block of keys, got null"),
        ("emnist.nist.sha256", "ABC", "must match pattern '^[0-9a-f]{64}$', got 'ABC'"),
        ("emnist.nist.urls", [], "must have at least 1 item after validation, not 0, got []"),
        ("lines", {}, "must have at least 1 item after validation, not 0"),
        ("experiments", [], "must be a block of keys, got []"),
        (f"{CNN}.model", 5, "must be a block of keys, got 5"),
        ("training.load", ["x" * 500], f"must be a valid string, got ['{'x' * 78}..."),
        ("training.load", [16**5000], "must be a valid string, got a very long list"),
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


def test_settings_cannot_be_changed() -> None:
    class Block(Settings):
        size: int

    block = Block(size=1)
    with pytest.raises(ValueError, match="frozen"):
        block.size = 2  # type: ignore[misc]


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
