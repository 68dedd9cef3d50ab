"""performance.csv and performance.md: our results, compared with the lab's code and the plain baseline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from jinja2 import StrictUndefined, Template

from benchmarks.growth import Row
from benchmarks.harness import Timing
from benchmarks.peak import Peak
from benchmarks.roofline import Utilization
from pipeline.common.files import write_text
from pipeline.runtime.machine import describe_machine

TEMPLATE = Path(__file__).parent / "performance.md.j2"
NUMBERS = ["ours", "lab", "baseline", "ratio_lab", "ratio_baseline"]


@dataclass
class Measured:
    """All results of one run of the benchmarks so far."""

    device: str
    """Device of the models, `cpu` or `cuda`."""
    peak: Peak
    timings: dict[str, Mapping[str, Timing]] = field(default_factory=dict)
    """By measurement, then by implementation (ours, lab, baseline)."""
    utilizations: dict[str, Utilization] = field(default_factory=dict)
    others: list[Row] = field(default_factory=list)


def make_table(measured: Measured) -> pd.DataFrame:
    """Return columns what, unit, ours, lab, baseline, ratio_lab, ratio_baseline; above a ratio of 1, ours is faster."""
    rows = []
    for what, timings in measured.timings.items():
        rates = {name: timing.rate for name, timing in timings.items()}
        ratios = {f"ratio_{name}": rates["ours"] / rate for name, rate in rates.items() if name != "ours"}
        rows.append({"what": what, "unit": "lines/s", **rates, **ratios})
        memory = {name: timing.memory / 2**20 for name, timing in timings.items()}
        rows.append({"what": f"{what}, peak memory", "unit": "MiB", **memory})
    for name, value in (("fp32", measured.peak.fp32), ("bf16", measured.peak.bf16)):
        rows.append({"what": f"machine: matrix product in {name}", "unit": "GFLOP/s", "ours": value / 1e9})
    rows.append({"what": "machine: memory copy, read and written", "unit": "GB/s", "ours": measured.peak.copy / 1e9})
    for what, utilization in measured.utilizations.items():
        rows.append({"what": f"{what}: arithmetic done", "unit": "GFLOP/s", "ours": utilization.gigaflops})
        rows.append({"what": f"{what}: matrix product meanwhile", "unit": "GFLOP/s", "ours": utilization.machine})
        rows.append({"what": f"{what}: of the matrix rate", "unit": "share", "ours": utilization.of_matrix_rate})
        if (products := utilization.of_matrix_rate_in_products) is not None:
            rows.append({"what": f"{what}: of the matrix rate, in products", "unit": "share", "ours": products})
        rows.append({"what": f"{what}: of the roofline", "unit": "share", "ours": utilization.of_roofline})
    rows += [{"what": what, "unit": unit, "ours": value} for what, unit, value in measured.others]
    return pd.DataFrame(rows, columns=["what", "unit", *NUMBERS])


def write_report(measured: Measured, folder: Path) -> None:
    """Write both files."""
    table = make_table(measured)
    write_text(folder / "performance.csv", table.to_csv(index=False, float_format="%.4g", lineterminator="\n"))
    shown = table.copy()
    for column in NUMBERS:
        shown[column] = [format_number(value) for value in table[column]]
    spread = [
        {"what": what, "name": name, "slowest": format_number(t.slowest), "fastest": format_number(t.fastest)}
        for what, timings in measured.timings.items()
        for name, t in timings.items()
    ]
    template = Template(TEMPLATE.read_text(encoding="utf-8"), undefined=StrictUndefined, keep_trailing_newline=True)
    compared = shown[[what in measured.timings for what in shown["what"]]]
    others = shown[[what not in measured.timings for what in shown["what"]]]
    write_text(
        folder / "performance.md",
        template.render(
            compared=compared.to_dict("records"),
            others=others.to_dict("records"),
            spread=spread,
            with_lab=bool(compared["lab"].any()),
            machine=describe_machine(),
            device=measured.device,
        ),
    )


def format_number(value: float) -> str:
    """Format with three significant digits; NaN is empty."""
    if pd.isna(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
