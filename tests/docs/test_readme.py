"""The pages are whole: commands have targets and valid settings, links lead somewhere, tables have no empty cells."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps

from pipeline.settings.base import read_params
from pipeline.settings.project import check_project
from tests import pages
from tests.imports import ROOT
from tests.pages import LINKING, lines_in_blocks, links, read_page, without_comment
from tests.test_rooms import FLOORS

PAGES = (*pages.PAGES, "CONTRIBUTING.md")
README_LINES = 150


def commands() -> list[str]:
    """Lines of code blocks without their comments, and commands in backquotes within the text."""
    found = []
    for page in PAGES:
        text = read_page(page)
        lines = lines_in_blocks(text)
        lines += [" ".join(code.split()) for code in re.findall(r"`((?:dvc|make|python) [^`]+)`", text)]
        found += map(without_comment, lines)
    return list(dict.fromkeys(filter(None, found)))


def overrides(command: str) -> list[str]:
    """What a command sets by `-S`."""
    words = iter(shlex.split(command))
    return [next(words) for word in words if word == "-S"]


def with_overrides() -> list[str]:
    return [command for command in commands() if overrides(command) and "…" not in command]


def test_the_pages_show_the_commands_that_matter() -> None:
    assert {"make demo", "make test", "dvc repro"} <= set(commands())
    assert sum(command.startswith("dvc exp run") for command in commands()) >= 5


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("make ")])
def test_make_knows_its_targets(command: str) -> None:
    subprocess.run(["make", "--dry-run", *shlex.split(command)[1:]], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("command", with_overrides())
def test_settings_of_a_command_are_valid(command: str, tmp_path: Path) -> None:
    for sweep in get_hydra_sweeps({"params.yaml": overrides(command)}):
        params = tmp_path / "params.yaml"
        params.write_bytes((ROOT / "params.yaml").read_bytes())
        before = read_params(params)
        apply_overrides(params, sweep["params.yaml"])
        assert read_params(params) != before
        check_project(read_params(params))


@pytest.mark.parametrize("page", LINKING)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    assert [link for link in links(read_page(page)) if not (folder / link).exists()] == []


def test_links_are_found() -> None:
    assert links("![a picture](a.png) and [b](../b.md#c), [d](https://example.org)") == ["a.png", "../b.md"]
    assert {"docs/README.md", "CONTRIBUTING.md", "reports/README.md"} <= set(links(read_page("README.md")))


def test_the_index_has_every_page_of_docs() -> None:
    listed = {link for link in links(read_page("docs/README.md")) if not link.startswith("..")}
    assert listed == {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}


def test_the_reports_page_has_every_report_and_every_study() -> None:
    listed = links(read_page("reports/README.md"))
    reports = {path.name for path in (ROOT / "reports").iterdir() if path.is_file()} - {"README.md"}
    assert reports == {link for link in listed if "/" not in link}
    assert {path.name for path in (ROOT / "reports/studies").iterdir()} == {
        link.split("/")[1] for link in listed if link.startswith("studies/")
    }


def test_reports_outside_the_studies_are_what_dvc_repro_writes() -> None:
    stages = read_params(ROOT / "dvc.yaml")["stages"]
    outputs = [out for stage in stages.values() for out in stage.get("outs", []) if isinstance(out, dict)]
    written = {path for out in outputs for path, options in out.items() if options.get("cache") is False}
    committed = {f"reports/{path.name}" for path in (ROOT / "reports").iterdir() if path.is_file()}
    assert committed - {"reports/README.md"} == written


@pytest.mark.parametrize("page", [*PAGES, "reports/README.md"])
def test_no_cell_of_a_table_is_empty(page: str) -> None:
    rows = [line for line in read_page(page).splitlines() if line.startswith("|")]
    assert [
        row for row in rows if any(not cell.strip(" –-") for cell in row.split("|")[1:-1]) and "---" not in row
    ] == []


def test_the_readme_is_short() -> None:
    assert len(read_page("README.md").splitlines()) <= README_LINES


def test_the_diagram_has_every_stage() -> None:
    (diagram,) = re.findall(r"^```mermaid\n(.*?)^```", read_page("README.md"), re.MULTILINE | re.DOTALL)
    stages = set(read_params(ROOT / "dvc.yaml")["stages"])
    assert stages - {"check"} == stages & set(re.findall(r"\w+", re.sub(r"[\[(].*?[\])]", "", diagram)))


def test_contributing_lists_the_rooms_in_their_order() -> None:
    rows = re.findall(r"^\| (`.*?) \|", read_page("CONTRIBUTING.md"), re.MULTILINE)
    rooms = [tuple(re.findall(r"`(\w+)`", row)) for row in rows]
    listed = {name for floor in rooms for name in floor}
    assert listed == {name for floor in FLOORS for name in floor} - {"stages"}
    numbers = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    floors = [{numbers[name] for name in floor} for floor in rooms]
    assert [max(floor) for floor in floors] == [min(floor) for floor in floors] == sorted(map(max, floors))


def test_the_example_of_a_mistake_is_the_real_message() -> None:
    shown = re.search(r"^error: (params\.yaml: .*)$", read_page("README.md"), re.MULTILINE)
    assert shown is not None
    params = read_params(ROOT / "params.yaml")
    params["experiments"]["cnn_ctc_matched"]["model"]["window_strid"] = 20
    with pytest.raises(ValueError, match=re.escape(shown[1])):
        check_project(params)
