"""Measure how fast the project is; run it where `data/` has been made (`dvc repro synthesize`)."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.growth import Row, by_batch, by_lines, by_width
from benchmarks.harness import Timing, compare
from benchmarks.inputs import EXPERIMENTS
from benchmarks.peak import measure_peak
from benchmarks.project_times import of_last_run, to_lab_cer, with_nothing_to_do
from benchmarks.report import Measured, write_report
from benchmarks.roofline import measure_share

COMPARED = [*EXPERIMENTS, "synthesis", "decode and cer", "evaluate"]
ALONE = ["decode and all rates"]
"""Compared with nobody, as only we compute it."""
WARMUPS = {"ours": 4, "lab": 1, "baseline": 1}
OTHERS = ("growth", "last run", "project")


def others(chosen: Sequence[str], timings: Mapping[str, Mapping[str, Timing]], device: str) -> list[Row]:
    """What is measured of our code alone."""
    rows: list[Row] = []
    if "growth" in chosen:
        rows += [*by_lines(), *by_width(device), *by_batch(device)]
    if "last run" in chosen:
        rows += of_last_run()
    if "project" in chosen:
        lab = timings.get("train line_cnn ctc", {}).get("lab")
        rows += [*to_lab_cer(lab.rate if lab else None), *with_nothing_to_do()]
    return rows


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "what", nargs="*", help=f"any of {', '.join(map(repr, [*COMPARED, *ALONE, *OTHERS]))}; all by default"
    )
    parser.add_argument("--lab", help="Python file with the functions of benchmarks/baseline.py, measured as `lab`")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where models compute")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each implementation")
    parser.add_argument("--output", type=Path, default=Path("reports"), help="folder of performance.csv and .md")
    arguments = parser.parse_args()
    chosen = arguments.what or [*COMPARED, *ALONE, *OTHERS]
    if unknown := set(chosen) - {*COMPARED, *ALONE, *OTHERS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join([*COMPARED, *ALONE, *OTHERS])}")
    device = arguments.device
    implementations = {"ours": "ours", "baseline": "baseline"}
    if arguments.lab:
        implementations["lab"] = arguments.lab
    peak = measure_peak(device)
    timings = {
        what: compare(what, {"ours": "ours"} if what in ALONE else implementations, WARMUPS, arguments.rounds, device)
        for what in [*COMPARED, *ALONE]
        if what in chosen
    }
    shares = {what: measure_share(key, peak, device) for what, key in EXPERIMENTS.items() if what in chosen}
    write_report(Measured(device, peak, timings, shares, others(chosen, timings, device)), arguments.output)
    print(f"benchmarks: see {arguments.output / 'performance.md'}")


if __name__ == "__main__":
    main()
