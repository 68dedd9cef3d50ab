"""Which of the project's own files a module imports, directly or not, read from the source."""

import ast
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "stages")


def closure(start: Path) -> set[str]:
    """The project's files with code that `start` (relative to the root) imports, `start` among them."""
    seen: set[Path] = set()
    waiting = {start}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        waiting |= imports(path) - seen
    return {path.as_posix() for path in seen if has_code(path)}


@cache
def imports(path: Path) -> set[Path]:
    """The project's files that one file names in import statements, wherever they stand."""
    return {file for name in imported_names(path) for file in files_of(name)}


def imported_names(path: Path) -> set[str]:
    """The modules that one file names in import statements, and `module.name` for what it imports from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def third_party_packages(start: Path) -> set[str]:
    """The installed packages, by the names of their distributions, that `start` imports, directly or not."""
    modules = {name.split(".")[0] for path in closure(start) for name in imported_names(Path(path))}
    distributions = packages_distributions()
    return {distribution for module in modules - {*PACKAGES} for distribution in distributions.get(module, [])}


def rooms_of_package() -> list[str]:
    """The folders of `pipeline/`."""
    return sorted(path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py"))


def files_of(name: str) -> set[Path]:
    """The file of a module of the project, and the `__init__.py` of each package it is in."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return set()
    folders = [Path(*parts[: n + 1]) / "__init__.py" for n in range(len(parts))]
    candidates = [*folders, Path(*parts).with_suffix(".py")]
    return {path for path in candidates if (ROOT / path).is_file()}


@cache
def has_code(path: Path) -> bool:
    """Whether a file holds more than a docstring."""
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)
