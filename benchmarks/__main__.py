"""Measure the speed of the project. It needs the files in `data/` (`dvc repro synthesize`)."""

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.growth import synthesis_by_lines, training_by_batch, training_by_width
from benchmarks.harness import compare
from benchmarks.inputs import EXPERIMENTS, READ, Inputs
from benchmarks.peak import measure_peak
from benchmarks.project_times import idle_times, last_run_times, time_to_lab_cer
from benchmarks.report import Measured, write_report
from benchmarks.roofline import measure_utilization
from pipeline.common import paths
from pipeline.common.errors import exit_on_input_error
from pipeline.data.storage.line_store import read_attributes

OUTPUT = Path("reports/studies/performance")
COMPARED = [*EXPERIMENTS, "synthesis", "decode and cer", "evaluate"]
ONLY_OURS = ["decode and all rates"]
"""Measured without a comparison: the other implementations do not compute it."""
WARMUPS = {"ours": 8, "lab": 1, "baseline": 1}
"""Rounds before the measurement. On a GPU, ours records CUDA graphs for each width of lines."""
WITHOUT_EXPERIMENT = ("synthesis", "last run", "project")
OTHERS = ("growth", "last run", "project")
"""Measurements of our code that are not compared."""


def measurements(
    measured: Measured, chosen: Sequence[str], implementations: Mapping[str, str], rounds: int
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the name of each measurement, and a function that runs it and adds the result to `measured`."""
    device = measured.device

    def time_all(what: str) -> None:
        among = {"ours": "ours"} if what in ONLY_OURS else implementations
        measured.timings[what] = compare(what, among, WARMUPS, rounds, device)

    def compute_utilization(what: str) -> None:
        measured.utilizations[what] = measure_utilization(EXPERIMENTS[what], device)

    def add_project() -> None:
        lab = measured.timings.get("train line_cnn ctc", {}).get("lab")
        measured.others += [*time_to_lab_cer(lab.rate if lab else None), *idle_times()]

    alone: Mapping[str, Callable[[], None]] = {
        "growth": lambda: measured.others.extend(
            [*synthesis_by_lines(), *training_by_width(device), *training_by_batch(device)]
        ),
        "last run": lambda: measured.others.extend(last_run_times()),
        "project": add_project,
    }
    for what in (what for what in [*COMPARED, *ONLY_OURS] if what in chosen):
        yield what, partial(time_all, what)
    for what in (what for what in EXPERIMENTS if what in chosen):
        yield f"{what}, share of the machine's rate", partial(compute_utilization, what)
    yield from ((what, alone[what]) for what in OTHERS if what in chosen)


def measure(steps: Iterator[tuple[str, Callable[[], None]]], measured: Measured, folder: Path) -> list[str]:
    """Run all measurements, write both files after each one, and return the names of those that failed."""
    failed = []
    for what, step in steps:
        start = time.monotonic()
        try:
            step()
        except Exception:  # an error in a peer's code must not lose hours of measurements
            traceback.print_exc()
            failed.append(what)
            continue
        write_report(measured, folder)
        print(f"benchmarks: {what} measured in {time.monotonic() - start:.0f} s", flush=True)
    return failed


def check_inputs(chosen: Sequence[str]) -> None:
    """Check that everything is there before the first measurement.

    Raises:
        InputError: params.yaml lacks an experiment, or `data/` lacks its lines.
    """
    for what in chosen:
        if what not in WITHOUT_EXPERIMENT:
            lines = Inputs().experiment(EXPERIMENTS.get(what, READ)).lines
            read_attributes(paths.lines(lines))


def main() -> None:
    """Parse the command line and run the measurements."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = [*COMPARED, *ONLY_OURS, *OTHERS]
    parser.add_argument("what", nargs="*", help=f"any of {', '.join(map(repr, known))}; all by default")
    parser.add_argument(
        "--lab", help="Python file with the functions of benchmarks/baseline.py; its results are called `lab`"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="device of the models")
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
