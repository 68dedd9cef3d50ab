from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.commands.handwriting import LEAST_LINES, PROFILE, WAYS, choose_jobs, main, make_params
from pipeline.common.errors import InputError
from pipeline.settings.base import read_params
from pipeline.settings.own_lines import ListedParts, SplitParts
from pipeline.settings.project import ProjectSettings, check_project
from tests.data.transcriptions.test_folder import write_line

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Ten lines in one folder: eight for training."""
    for number in range(10):
        write_line(tmp_path / "lines", str(number), f"text {number}")
    return tmp_path / "lines"


def make(
    data: Path, text: Path | None = None, ways: Sequence[str] = WAYS, train_lines: int | None = None
) -> ProjectSettings:
    params, profile = read_params(PROJECT / "params.yaml"), read_params(PROJECT / PROFILE)
    return check_project(make_params(params, profile, data, text, ways, train_lines))


def test_each_line_of_a_folder_is_a_group(lines: Path) -> None:
    project = make(lines)
    assert {own.path for own in project.own_lines.values()} == {str(lines)}
    assert {own.format for own in project.own_lines.values()} == {"folder"}
    assert {own.group for own in project.own_lines.values()} == {"(.+)"}
    assert all(isinstance(own.parts, SplitParts) for own in project.own_lines.values())
    assert [model.text for model in project.own_language_models.values()] == [None]


def test_folders_of_lines_are_the_groups(tmp_path: Path) -> None:
    for writer in ("anna", "ben", "carl"):
        write_line(tmp_path / writer, "1")
    assert {own.group for own in make(tmp_path).own_lines.values()} == {None}


def test_a_table_is_taken_as_one(lines: Path) -> None:
    table = lines / "lines.csv"
    table.write_text("image,text\n" + "".join(f"{number}.png,text {number}\n" for number in range(10)))
    assert {own.format for own in make(table).own_lines.values()} == {"table"}


def test_each_way_to_begin_is_an_experiment_on_the_same_lines(lines: Path) -> None:
    experiments = make(lines).experiments
    nothing, emnist, others = (experiments[f"from_{start}"] for start in ("nothing", "emnist", "others"))
    assert nothing.load is None
    assert (emnist.load, emnist.model) == ("models/emnist/seed_42.ckpt", experiments["emnist"].model)
    assert nothing.model_copy(update={"load": emnist.load}) == emnist
    assert others.load == "data/pretrained/ppocr.ckpt"


@pytest.mark.parametrize(
    ("way", "experiments", "own_lines", "decodings"),
    [
        ("from_others", {"from_others"}, {"handwriting"}, {"from_others_beam"}),
        ("from_nothing", {"from_nothing"}, {"handwriting_28"}, set()),
        ("from_emnist", {"from_emnist", "emnist"}, {"handwriting_28"}, set()),
    ],
)
def test_one_way_alone(lines: Path, way: str, experiments: set[str], own_lines: set[str], decodings: set[str]) -> None:
    project = make(lines, ways=[way])
    assert set(project.experiments) == experiments
    assert set(project.own_lines) == own_lines
    assert set(project.decoding) == decodings
    assert set(project.lines) == ({"emnist"} if way == "from_emnist" else set())
    assert (project.emnist.source == "glyphs") == (project.corpus.source == "builtin") == (way != "from_emnist")


def test_one_way_takes_all_cores() -> None:
    assert [choose_jobs([way]) for way in WAYS] == [["--jobs", "1"]] * len(WAYS)
    assert choose_jobs(WAYS) == []


@pytest.mark.parametrize(("train_lines", "taken"), [(None, 8), (5, 5), (100, 8)])
def test_few_lines_are_taken_several_times_in_an_epoch(lines: Path, train_lines: int | None, taken: int) -> None:
    project = make(lines, train_lines=train_lines)
    assert {own.train_lines for own in project.own_lines.values()} == {train_lines}
    assert {name: project.experiments[name].training.get("passes_per_epoch") for name in (*WAYS, "emnist")} == {
        **dict.fromkeys(WAYS, LEAST_LINES // taken),
        "emnist": None,
    }


def test_lists_and_a_text_are_taken_where_they_are(lines: Path) -> None:
    for number, part in enumerate(("train", "validation", "test")):
        (lines / f"{part}.txt").write_text(f"{number}\n")
    project = make(lines, lines / "train.txt")
    assert all(isinstance(own.parts, ListedParts) for own in project.own_lines.values())
    assert [model.text for model in project.own_language_models.values()] == [str(lines / "train.txt")]


def test_what_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scans: no such file or folder$"):
        main(tmp_path / "scans", None, WAYS)
    with pytest.raises(InputError, match=r"a\.txt: no such file$"):
        main(tmp_path, tmp_path / "a.txt", WAYS)


def test_a_folder_without_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path}: "):
        make(tmp_path)
