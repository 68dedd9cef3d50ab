"""What a harness found, and `reports/reliability.csv` and `.md`, into which each harness merges its rows."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path

from jinja2 import StrictUndefined, Template

from pipeline.common.files import write_text
from pipeline.runtime.machine import describe_machine

TEMPLATE = Path(__file__).parent / "reliability.md.j2"
VERSIONS = ("dvc", "mlflow", "pytorch-lightning", "h5py", "numpy")


@dataclass(frozen=True)
class Row:
    """How often a fault was injected and how often it did harm; `what` begins with the harness's name."""

    what: str
    tried: int
    failed: int
    found: str = ""
    """The first harm done, or a figure that was measured."""
    data: str = ""
    seconds: int = 0
    command: str = ""


COLUMNS = [field.name for field in fields(Row)]


def write_report(rows: Sequence[Row], folder: Path) -> None:
    """Put the rows in the place of earlier ones of the same harnesses, and write both files."""
    merged = merge(read_rows(folder / "reliability.csv"), rows)
    with_header = [COLUMNS, *([str(value) for value in asdict(row).values()] for row in merged)]
    write_text(folder / "reliability.csv", "".join(",".join(map(quoted, line)) + "\n" for line in with_header))
    template = Template(TEMPLATE.read_text(encoding="utf-8"), undefined=StrictUndefined, keep_trailing_newline=True)
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    page = template.render(rows=merged, machine=describe_machine(), versions=versions)
    write_text(folder / "reliability.md", page)


def merge(earlier: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Rows of the harnesses that ran now, and of the others as they were; in the order of the harnesses' names."""
    replaced = {harness_of(row) for row in rows}
    return sorted([*(row for row in earlier if harness_of(row) not in replaced), *rows], key=harness_of)


def harness_of(row: Row) -> str:
    """`kill` of `kill: train`."""
    return row.what.split(":")[0]


def read_rows(path: Path) -> list[Row]:
    """The rows of an earlier report; none where there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(**{**row, **{name: int(row[name]) for name in ("tried", "failed", "seconds")}})  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        ]


def quoted(value: str) -> str:
    """A field of a CSV file."""
    return '"' + value.replace('"', '""').replace("\n", " ") + '"' if set(value) & set(',"\n') else value


class Tally:
    """Counts what was tried and what failed, and keeps the first failure."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.tried = self.failed = 0
        self.found = ""

    def add(self, *failures: str, tried: int = 1) -> None:
        """Count `tried` faults, which did harm if there is a failure."""
        self.tried += tried
        self.failed += bool(failures)
        self.found = self.found or next(iter(failures), "")

    def row(self) -> Row:
        """The row so far."""
        return Row(self.what, self.tried, self.failed, self.found)
