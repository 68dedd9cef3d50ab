"""The commands that README.md and docs/ show."""

import re

from tests.imports import ROOT

PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))]
WALK = ("Try it", "Look at it", "Keep it, or go back")
"""Sections of docs/experimenting.md that lead through one change."""


def commands(page: str) -> list[str]:
    """Lines of code blocks, in the order of the page, without comments and those with a place to fill in."""
    return commands_in((ROOT / page).read_text(encoding="utf-8"))


def walk() -> list[str]:
    """The commands of the walk through a change, in their order."""
    page = (ROOT / "docs/experimenting.md").read_text(encoding="utf-8")
    sections = (page.split(f"\n## {title}\n")[1].split("\n## ")[0] for title in WALK)
    return [command for section in sections for command in commands_in(section)]


def commands_in(text: str) -> list[str]:
    """As `commands`, of the text of a page or a section."""
    lines = map(without_comment, lines_in_blocks(text))
    return [line for line in dict.fromkeys(lines) if line and not re.search("[<…]", line)]


def lines_in_blocks(text: str) -> list[str]:
    """The lines of all code blocks."""
    blocks: list[str] = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def without_comment(line: str) -> str:
    """The command of a line."""
    return line.split("   ")[0].split(" #")[0].strip()
