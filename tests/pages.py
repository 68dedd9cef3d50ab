"""The documentation's pages, and the commands that they show."""

import re

from tests.imports import ROOT

PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))]
"""The pages whose commands are run."""
LINKING = [
    *PAGES,
    "CONTRIBUTING.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "reports").rglob("*.md")),
]
"""The pages whose links are followed."""
WALK = ("Try it", "Look at it", "Keep it, or go back")
"""Sections of docs/experimenting.md that lead through one change."""


def read_page(page: str) -> str:
    """The text of a page, by its path from the project's root."""
    return (ROOT / page).read_text(encoding="utf-8")


def commands(page: str) -> list[str]:
    """The lines of a page's code blocks, in order, without comments and without commands that have a gap to fill."""
    return commands_in(read_page(page))


def walk() -> list[str]:
    """The commands of the walk through one change, in order."""
    page = read_page("docs/experimenting.md")
    sections = (page.split(f"\n## {title}\n")[1].split("\n## ")[0] for title in WALK)
    return [command for section in sections for command in commands_in(section)]


def commands_in(text: str) -> list[str]:
    """Like `commands`, for the text of a page or a section."""
    lines = map(without_comment, lines_in_blocks(text))
    return [line for line in dict.fromkeys(lines) if line and not re.search("[<…]", line)]


def lines_in_blocks(text: str) -> list[str]:
    """The lines of all code blocks."""
    blocks: list[str] = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def without_comment(line: str) -> str:
    """The command of a line."""
    return line.split("   ")[0].split(" #")[0].strip()


def links(text: str) -> list[str]:
    """The relative links and pictures of a page, without the places within a page."""
    return re.findall(r"\]\((?!https?:)([^)#]+)", text)
