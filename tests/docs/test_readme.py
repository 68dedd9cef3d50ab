"""Every command that the README shows can be typed as it stands."""

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
from tests.pages import lines_in_blocks, without_comment

PAGES = (*pages.PAGES, "CONTRIBUTING.md")


def commands() -> list[str]:
    """Lines of code blocks without their comments, and commands in backquotes within the text."""
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        lines = lines_in_blocks(text)
        lines += re.findall(r"^    (make .*)$", text, re.MULTILINE)
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


@pytest.mark.parametrize("name", re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text("utf-8")))
def test_links_lead_somewhere(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_example_of_a_mistake_is_what_is_said() -> None:
    shown = re.search(r"^error: (params\.yaml: .*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert shown is not None
    params = read_params(ROOT / "params.yaml")
    params["experiments"]["cnn_ctc_matched"]["model"]["window_strid"] = 20
    with pytest.raises(ValueError, match=re.escape(shown[1])):
        check_project(params)
