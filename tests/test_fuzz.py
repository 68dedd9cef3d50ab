"""Random input for everything that reads files: the result is a value or an `InputError` of one line."""

import copy
import random
import re
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.storage.line_store import read_attributes, read_lines
from pipeline.data.transcriptions.write_texts import PredictedText, PredictedWord, write_texts
from pipeline.inference.documents import open_document
from pipeline.models.checkpoint import load_checkpoint, save_checkpoint
from pipeline.settings.base import read_params
from pipeline.settings.project import check_project
from tests.archives import outcome
from tests.data.transcriptions.drawn import alto, draw_page, page_xml
from tests.projects import profile_params, write_lines
from tests.tiny import tiny_lines, tiny_settings

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
PARAMS = profile_params("tiny")
TEXT = (Path(__file__).parents[1] / "params.yaml").read_bytes()


def one_line(result: object) -> bool:
    """Whether the result is a value, or an error message of one printable line."""
    return not isinstance(result, str) or (bool(result) and result.isprintable())


def leaves(block: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [(*path, key) for key in block]
    return found + [
        leaf for key, value in block.items() if isinstance(value, dict) for leaf in leaves(value, (*path, key))
    ]


@given(st.sampled_from(leaves(PARAMS)), values)
def test_any_value_anywhere_in_the_settings(path: tuple[str, ...], value: object) -> None:
    params = copy.deepcopy(PARAMS)
    block = params
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    result = outcome(lambda: check_project(params))
    assert one_line(result)
    if isinstance(result, str):
        assert result.startswith("params.yaml: ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_for_settings(folder: Path, content: bytes) -> None:
    (folder / "params.yaml").write_bytes(content)
    assert one_line(outcome(lambda: check_project(read_params(folder / "params.yaml"))))


@settings(deadline=None, max_examples=30)
@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_shipped_settings_with_characters_changed(folder: Path, rng: random.Random, changes: int) -> None:
    content = bytearray(TEXT[:1500])
    for _ in range(changes):
        content[rng.randrange(len(content))] = rng.choice(b"\n\t:{}[]&*!|>%@`'\"# -?,0aZ\x00\xff")
    (folder / "params.yaml").write_bytes(content)
    assert one_line(outcome(lambda: check_project(read_params(folder / "params.yaml"))))


attributes = st.sampled_from(["format", "vocabulary", "max_length", "with_start_end_tokens", "data", "train"])
stored = (
    st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
    | st.lists(st.integers(-5, 300), max_size=5)
    | st.just(h5py.Empty("f4"))
)


@given(attributes, stored | st.none())
def test_any_value_for_an_attribute_of_lines(folder: Path, name: str, value: object) -> None:
    path = folder / "lines.h5"
    write_lines(path, tiny_lines(["AB", "C"]))
    with h5py.File(path, "a") as file:
        del file.attrs[name]
        if value is not None:
            file.attrs[name] = value
    found = outcome(lambda: read_attributes(path))
    assert one_line(found)
    if isinstance(found, dict):
        assert isinstance(found["max_length"], int)
        assert isinstance(found["with_start_end_tokens"], bool)
    assert one_line(outcome(lambda: read_lines(path, "train")))


tensors = st.sampled_from([torch.zeros(3), torch.zeros(2, 3, 4), torch.tensor(1), torch.zeros(0)])


@pytest.fixture(scope="module")
def good(folder: Path) -> Path:
    """A checkpoint."""
    tiny = tiny_settings("line_cnn")
    save_checkpoint(folder / "good.ckpt", tiny, tiny.build())
    return folder / "good.ckpt"


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["format", "vocabulary", "model", "loss", "max_length", "wrap", "weights"]), values | tensors)
def test_any_value_in_a_checkpoint(folder: Path, good: Path, key: str, value: object) -> None:
    path, content = folder / "model.ckpt", torch.load(good, weights_only=True)
    torch.save({**content, key: value}, path)
    assert one_line(outcome(lambda: load_checkpoint(path)))


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(tiny_settings("line_cnn").model.model_dump())), values)
def test_any_size_of_a_model_in_a_checkpoint(folder: Path, good: Path, key: str, value: object) -> None:
    path, content = folder / "model.ckpt", torch.load(good, weights_only=True)
    torch.save({**content, "model": {**content["model"], key: value}}, path)
    assert one_line(outcome(lambda: load_checkpoint(path)))


LINES = [("first", [(20, 50), (300, 50)]), ("second", [(20, 120), (300, 130)])]
NUMBERS = ["", "nan", "inf", "-inf", "1e300", "-1e300", "1e-300", "-7", "0", "x", "1,2", "99999999", "0x10", "١"]


def read_and_write(path: Path) -> bytes:
    """Read a page as `predict` does, without a model: cut out its lines and write texts into its XML."""
    document = open_document(path, 28)
    texts = []
    for line in document.lines:
        if line.strip:
            assert line.draw(28).shape[0] == 28
            texts.append(PredictedText("a", 0.5, [PredictedWord("a", 0.5, line.strip.box(0.2, 0.8))]))
        else:
            texts.append(None)
    return write_texts(path, texts)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([alto, page_xml]), st.randoms(use_true_random=False), st.integers(1, 3), st.booleans())
def test_damaged_pages(folder: Path, form: Any, rng: random.Random, changes: int, numbers: bool) -> None:
    draw_page(folder / "page.png", [baseline for _, baseline in LINES])
    content = form("page.png", LINES)
    for _ in range(changes):
        if numbers:
            number = rng.choice(list(re.finditer(r"\d+", content)))
            content = content[: number.start()] + rng.choice(NUMBERS) + content[number.end() :]
        else:
            start = rng.randrange(len(content))
            piece = rng.choice(["", "<", ">", '"', "&", "/>", "é", " "])
            content = content[:start] + piece + content[start + rng.randrange(9) :]
    path = folder / "page.xml"
    path.write_text(content, encoding="utf-8")
    assert one_line(outcome(lambda: read_and_write(path)))
