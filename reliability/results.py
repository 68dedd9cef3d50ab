"""Results of the harnesses; each harness merges its rows into reliability.csv and reliability.md."""

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
    """How often a fault was injected, and how often that failed. `what` starts with the name of the harness."""

    what: str
    tried: int
    failed: int
    found: str = ""
    """The first failure, or a measured value."""
    data: str = ""
    seconds: int = 0
    command: str = ""


COLUMNS = [field.name for field in fields(Row)]


def write_report(rows: Sequence[Row], folder: Path) -> None:
    """Replace earlier rows of the same harnesses, and write both files."""
    merged = merge(read_rows(folder / "reliability.csv"), rows)
    with_header = [COLUMNS, *([str(value) for value in asdict(row).values()] for row in merged)]
    write_text(folder / "reliability.csv", "".join(",".join(map(quote, line)) + "\n" for line in with_header))
    template = Template(TEMPLATE.read_text(encoding="utf-8"), undefined=StrictUndefined, keep_trailing_newline=True)
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    page = template.render(rows=merged, machine=describe_machine(), versions=versions)
    write_text(folder / "reliability.md", page)


def merge(earlier: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Return the new rows and the earlier rows of other harnesses, sorted by the name of the harness."""
    replaced = {harness_name(row) for row in rows}
    return sorted([*(row for row in earlier if harness_name(row) not in replaced), *rows], key=harness_name)


def harness_name(row: Row) -> str:
    """Return the name of the harness: `kill` for `kill: train`."""
    return row.what.split(":")[0]


def read_rows(path: Path) -> list[Row]:
    """Read the rows of an earlier report; [] if there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(**{**row, **{name: int(row[name]) for name in ("tried", "failed", "seconds")}})  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        ]


def quote(value: str) -> str:
    """Quote a field of a CSV file if necessary."""
    return '"' + value.replace('"', '""').replace("\n", " ") + '"' if set(value) & set(',"\n') else value


class Tally:
    """Count tries and failures, and keep the first failure."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.tried = self.failed = 0
        self.found = ""

    def add(self, *failures: str, tried: int = 1) -> None:
        """Count `tried` faults, and one failure if there are `failures`."""
        self.tried += tried
        self.failed += bool(failures)
        self.found = self.found or next(iter(failures), "")

    def row(self) -> Row:
        """Return the row so far."""
        return Row(self.what, self.tried, self.failed, self.found)
