from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.common.splits import SPLITS
from pipeline.data.transcriptions.base import Transcription
from pipeline.data.transcriptions.parts import find_shared_texts, split_transcriptions
from pipeline.settings.own_lines import ColumnParts, FolderParts, ListedParts, OwnLinesSettings, SplitParts


def line(name: str, page: str = "", group: str = "", text: str = "text", part: str | None = None) -> Transcription:
    page = page or name
    return Transcription(name, page, group or page, text, (1, 1), lambda height: Image.new("L", (1, 1)), part)


def split(
    lines: Sequence[Transcription], parts: object, root: Path = Path(), train_lines: int | None = None
) -> dict[str, list[str]]:
    settings = OwnLinesSettings.model_validate(
        {"format": "pages", "path": ".", "parts": parts, "train_lines": train_lines}
    )
    divided = split_transcriptions(lines, settings, root)
    return {part: [line.name for line in divided[part]] for part in SPLITS}


@given(
    st.lists(st.integers(0, 12), min_size=3, max_size=40).filter(lambda groups: len(set(groups)) >= 3),
    st.integers(0, 99),
)
def test_groups_stay_whole_and_every_line_is_in_one_part(groups: list[int], seed: int) -> None:
    lines = [line(f"l{number}", group=f"g{group}") for number, group in enumerate(groups)]
    parts = SplitParts(by="split", validation=0.2, test=0.3, seed=seed)
    divided = split(lines, parts)
    assert sorted(name for names in divided.values() for name in names) == sorted(one.name for one in lines)
    group_of = {one.name: one.group for one in lines}
    sets = [{group_of[name] for name in divided[part]} for part in SPLITS]
    assert sum(map(len, sets)) == len(set.union(*sets)) == len(set(groups))
    assert len(sets[1]) == max(1, round(len(set(groups)) * 0.2))
    assert split(lines, parts) == divided


def test_another_seed_draws_other_groups() -> None:
    lines = [line(f"l{number}") for number in range(40)]
    first, second = (split(lines, SplitParts(by="split", validation=0.2, test=0.2, seed=seed)) for seed in (1, 2))
    assert first != second


def test_fewer_training_lines_are_some_of_more_and_other_parts_stay() -> None:
    lines = [line(f"l{number:02}") for number in range(40)]
    parts = SplitParts(by="split", validation=0.2, test=0.2, seed=0)
    every, twelve, five = (split(lines, parts, train_lines=count) for count in (None, 12, 5))
    assert [len(divided["train"]) for divided in (every, twelve, five)] == [24, 12, 5]
    assert set(five["train"]) < set(twelve["train"]) < set(every["train"])
    assert five["train"] == sorted(five["train"]) != every["train"][:5]
    assert five["test"] == every["test"]
    assert split(lines, parts, train_lines=100) == every


def test_lists_name_pages_with_or_without_folder_and_extension(tmp_path: Path) -> None:
    lines = [line("1", "a/x"), line("2", "a/x"), line("3", "a/y"), line("4", "b/z"), line("5", "b/unused")]
    (tmp_path / "train.txt").write_text("a/x\n\n")
    (tmp_path / "val.txt").write_text("y\n")
    (tmp_path / "test.txt").write_text("z.xml\r\n")
    parts = ListedParts(by="lists", train="train.txt", validation="val.txt", test="test.txt")
    assert split(lines, parts, tmp_path) == {"train": ["1", "2"], "validation": ["3"], "test": ["4"]}
    (tmp_path / "test.txt").write_text("nowhere\n")
    with pytest.raises(InputError, match="names 'nowhere', and there is no such page"):
        split(lines, parts, tmp_path)
    (tmp_path / "val.txt").unlink()
    with pytest.raises(InputError, match=r"parts\.validation: .*val\.txt: no such file"):
        split(lines, parts, tmp_path)


def test_folders_and_columns() -> None:
    lines = [line(name, part=part) for name, part in (("t/a", "train"), ("v/b", "validation"), ("s/c", "test"))]
    expected = {"train": ["t/a"], "validation": ["v/b"], "test": ["s/c"]}
    assert split(lines, FolderParts(by="folders", train="t", validation="v", test="s")) == expected
    assert split(lines, ColumnParts(by="column", column="split")) == expected
    with pytest.raises(InputError, match="column split holds 'dev'; expected train, validation, test"):
        split([*lines, line("d", part="dev")], ColumnParts(by="column", column="split"))


def test_bad_splits_are_refused() -> None:
    with pytest.raises(InputError, match=r"2 group\(s\) of lines cannot be split into three parts"):
        split([line("a"), line("b")], SplitParts(by="split", validation=0.1, test=0.1, seed=1))
    with pytest.raises(InputError, match="no line for validation and test"):
        split([line("t/a")], FolderParts(by="folders", train="t", validation="v", test="s"))
    lines = [line("t/a", group="anna"), line("v/b", group="anna"), line("s/c")]
    with pytest.raises(InputError, match="'anna' is in train and in validation; a group must be in one part"):
        split(lines, FolderParts(by="folders", train="t", validation="v", test="s"))


def test_texts_of_several_parts() -> None:
    parts = {
        "train": [line("1", text="a"), line("2", text="b")],
        "validation": [line("3", text="c"), line("4", text="d")],
        "test": [line("5", text="b"), line("6", text="d"), line("7", text="e")],
    }
    assert find_shared_texts(parts) == ["b", "d"]
