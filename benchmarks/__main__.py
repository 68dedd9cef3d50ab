"""Measure how fast the project is; run it where `data/` has been made (`dvc repro synthesize`)."""

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.growth import by_batch, by_lines, by_width
from benchmarks.harness import compare
from benchmarks.inputs import EXPERIMENTS, READ, Inputs
from benchmarks.peak import measure_peak
from benchmarks.project_times import of_last_run, to_lab_cer, with_nothing_to_do
from benchmarks.report import Measured, write_report
from benchmarks.roofline import measure_share
from pipeline.common import paths
from pipeline.common.errors import exit_on_input_error
from pipeline.data.storage.line_store import read_attributes

OUTPUT = Path("reports/studies/performance")
COMPARED = [*EXPERIMENTS, "synthesis", "decode and cer", "evaluate"]
ALONE = ["decode and all rates"]
"""Compared with nobody, as only we compute it."""
WARMUPS = {"ours": 8, "lab": 1, "baseline": 1}
"""Rounds before; a GPU plans and records what ours computes for each width of lines."""
NO_EXPERIMENT = ("synthesis", "last run", "project")
OTHERS = ("growth", "last run", "project")
"""What is measured of our code alone."""


def measurements(
    measured: Measured, chosen: Sequence[str], implementations: Mapping[str, str], rounds: int
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Each measurement's name, and what makes it and adds it to `measured`."""
    device = measured.device

    def time_all(what: str) -> None:
        among = {"ours": "ours"} if what in ALONE else implementations
        measured.timings[what] = compare(what, among, WARMUPS, rounds, device)

    def share_of(what: str) -> None:
        measured.shares[what] = measure_share(EXPERIMENTS[what], device)

    def add_project() -> None:
        lab = measured.timings.get("train line_cnn ctc", {}).get("lab")
        measured.others += [*to_lab_cer(lab.rate if lab else None), *with_nothing_to_do()]

    alone: Mapping[str, Callable[[], None]] = {
        "growth": lambda: measured.others.extend([*by_lines(), *by_width(device), *by_batch(device)]),
        "last run": lambda: measured.others.extend(of_last_run()),
        "project": add_project,
    }
    for what in (what for what in [*COMPARED, *ALONE] if what in chosen):
        yield what, partial(time_all, what)
    for what in (what for what in EXPERIMENTS if what in chosen):
        yield f"{what}, share of the machine's rate", partial(share_of, what)
    yield from ((what, alone[what]) for what in OTHERS if what in chosen)


def measure(steps: Iterator[tuple[str, Callable[[], None]]], measured: Measured, folder: Path) -> list[str]:
    """Make all measurements, write both files anew after each, and return the names of those that failed."""
    failed = []
    for what, step in steps:
        start = time.monotonic()
        try:
            step()
        except Exception:  # whatever a peer's code does: hours of measuring are not lost to it
            traceback.print_exc()
            failed.append(what)
            continue
        write_report(measured, folder)
        print(f"benchmarks: {what} measured in {time.monotonic() - start:.0f} s", flush=True)
    return failed


def check_inputs(chosen: Sequence[str]) -> None:
    """`InputError` where params.yaml lacks an experiment that is to be measured, or `data/` its lines."""
    for what in chosen:
        if what not in NO_EXPERIMENT:
            lines = Inputs().experiment(EXPERIMENTS.get(what, READ)).lines
            read_attributes(paths.lines(lines))


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = [*COMPARED, *ALONE, *OTHERS]
    parser.add_argument("what", nargs="*", help=f"any of {', '.join(map(repr, known))}; all by default")
    parser.add_argument("--lab", help="Python file with the functions of benchmarks/baseline.py, measured as `lab`")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where models compute")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each implementation")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of performance.csv and .md")
    arguments = parser.parse_args()
    chosen = arguments.what or known
    if unknown := set(chosen) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
    check_inputs(chosen)
    implementations = {"ours": "ours", "baseline": "baseline"} | ({"lab": arguments.lab} if arguments.lab else {})
    measured = Measured(arguments.device, measure_peak(arguments.device))
    failed = measure(measurements(measured, chosen, implementations, arguments.rounds), measured, arguments.output)
    print(f"benchmarks: see {arguments.output / 'performance.md'}")
    if failed:
        sys.exit(f"benchmarks: not measured, see above: {', '.join(failed)}")


if __name__ == "__main__":
    exit_on_input_error(main)
