"""Inject faults into the pipeline, count the failures, and write reliability.csv and reliability.md."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.common.errors import exit_on_input_error
from reliability import bad_input, concurrent, kill, memory, pictures, repeat
from reliability.results import Row, write_report
from reliability.workspaces import Sources

OUTPUT = Path("reports/studies/reliability")
HARNESSES: dict[str, Callable[[Path, Sources, float], list[Row]]] = {
    "kill": kill.measure,
    "bad input": bad_input.measure,
    "repeat": repeat.measure,
    "concurrent": concurrent.measure,
    "memory": memory.measure,
}


def main() -> None:
    """Parse the command line and run the harnesses, each in a temporary folder."""
    parser = argparse.ArgumentParser(prog="python -m reliability", description=__doc__)
    parser.add_argument("what", nargs="*", help=f"any of {', '.join(map(repr, HARNESSES))}; all by default")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of the report")
    parser.add_argument("--minutes", type=float, default=30, help="time of each harness; each runs at least one round")
    parser.add_argument("--archive", type=Path, help="EMNIST archive in NIST's layout, instead of built-in glyphs")
    parser.add_argument("--corpus", type=Path, help="NLTK's brown.zip, instead of built-in text")
    parser.add_argument(
        "--own", action="store_true", help="run this project's pipeline again from nothing, and compare with dvc.lock"
    )
    parser.add_argument("--pictures", type=Path, metavar="CHECKPOINT", help="read test lines as all kinds of pictures")
    parser.add_argument("--lines", type=Path, default=Path("data/lines/variable.h5"), help="the lines of --pictures")
    arguments = parser.parse_args()
    if unknown := set(arguments.what) - set(HARNESSES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(HARNESSES)}")
    if arguments.own:
        repeat_own()
        return
    if arguments.pictures:
        rows = pictures.measure(arguments.pictures, arguments.lines, arguments.output)
        for row in rows:
            print(f"{row.what}: {row.found}{', too high' if row.failed else ''}")
        sys.exit(any(row.failed for row in rows))
    sources, failed = Sources(arguments.archive, arguments.corpus), 0
    for what in arguments.what or HARNESSES:
        rows = _run_harness(what, sources, arguments.minutes * 60)
        write_report(rows, arguments.output)
        failed += sum(row.failed for row in rows)
        for row in rows:
            print(f"{row.what}: {row.failed} of {row.tried} failed{f'; {row.found}' if row.found else ''}")
    print(f"reliability: see {arguments.output / 'reliability.md'}")
    sys.exit(bool(failed))


def repeat_own() -> None:
    """Run the project's pipeline again from nothing, and compare the outputs with dvc.lock."""
    with tempfile.TemporaryDirectory(prefix="emnist-lines-") as folder:
        wrong = repeat.check_own(Path(folder))
    print(f"repeat: {wrong}" if wrong else "repeat: every output is the same as in dvc.lock")
    sys.exit(bool(wrong))


def _run_harness(what: str, sources: Sources, seconds: float) -> list[Row]:
    command = f"python -m reliability '{what}' --minutes {seconds / 60:g}"
    for name in ("archive", "corpus"):
        command += f" --{name} {path.name}" if (path := getattr(sources, name)) else ""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="emnist-lines-") as folder:
        rows = HARNESSES[what](Path(folder), sources, seconds)
    elapsed = round(time.monotonic() - start)
    return [replace(row, data=sources.name, seconds=elapsed, command=command) for row in rows]


if __name__ == "__main__":
    exit_on_input_error(main)
