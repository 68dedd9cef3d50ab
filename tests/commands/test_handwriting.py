from pathlib import Path

import pytest

from pipeline.commands.handwriting import PROFILE, main, make_params
from pipeline.common.errors import InputError
from pipeline.settings.base import read_params
from pipeline.settings.own_lines import ListedParts, SplitParts
from pipeline.settings.project import check_project

PROJECT = Path(__file__).parents[2]


def make(pages: Path, text: Path | None = None) -> dict[str, object]:
    return make_params(read_params(PROJECT / "params.yaml"), read_params(PROJECT / PROFILE), pages, text)


def test_the_settings_are_valid_and_name_the_pages(tmp_path: Path) -> None:
    project = check_project(make(tmp_path))
    assert {lines.path for lines in project.own_lines.values()} == {str(tmp_path.resolve())}
    assert all(isinstance(lines.parts, SplitParts) for lines in project.own_lines.values())
    assert [model.text for model in project.own_language_models.values()] == [None]


def test_each_way_to_begin_is_an_experiment_on_the_same_pages(tmp_path: Path) -> None:
    experiments = check_project(make(tmp_path)).experiments
    nothing, emnist, others = (experiments[f"from_{start}"] for start in ("nothing", "emnist", "others"))
    assert nothing.load is None
    assert (emnist.load, emnist.model) == ("models/emnist/seed_42.ckpt", experiments["emnist"].model)
    assert nothing.model_copy(update={"load": emnist.load}) == emnist
    assert others.load == "data/pretrained/ppocr.ckpt"


def test_lists_of_pages_and_a_text_are_taken_where_they_are(tmp_path: Path) -> None:
    for part in ("train", "validation", "test"):
        (tmp_path / f"{part}.txt").write_text("a\n")
    project = check_project(make(tmp_path, tmp_path / "train.txt"))
    assert all(isinstance(lines.parts, ListedParts) for lines in project.own_lines.values())
    assert [model.text for model in project.own_language_models.values()] == [str(tmp_path.resolve() / "train.txt")]


def test_what_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scans: no such folder$"):
        main(tmp_path / "scans", None)
    with pytest.raises(InputError, match=r"a\.txt: no such file$"):
        main(tmp_path, tmp_path / "a.txt")
