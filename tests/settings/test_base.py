import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.common.errors import InputError
from pipeline.settings.base import Settings, read_params, read_section
from pipeline.settings.lines import LinesSettings
from pipeline.settings.sources import EmnistSettings
from tests.archives import outcome

SHIPPED = read_params(Path(__file__).parents[2] / "params.yaml")


def read(folder: Path, content: str | bytes) -> Any:
    path = folder / "params.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_params(path)


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


def test_settings_cannot_be_changed() -> None:
    class Block(Settings):
        size: int

    block = Block(size=1)
    with pytest.raises(ValueError, match="frozen"):
        block.size = 2  # type: ignore[misc]
