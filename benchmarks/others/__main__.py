"""Speed beside other projects: reading lines, cold start, beam search, error rates and synthesis.

    python -m benchmarks.others --python /path/to/kraken/bin/python --python /path/to/others/bin/python

Each other project runs in the first environment that has it; those that none has are named in the report. All take
turns, with the same number of threads, on the same lines. It writes others.csv and others.md.
"""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import torch
from jinja2 import StrictUndefined, Template

from benchmarks.others.contestants import COLD_START, SECTIONS, make_table, measure
from benchmarks.others.inputs import SEARCH, prepare, take
from benchmarks.others.ours import ours, synthesis
from benchmarks.others.processes import start_peers
from pipeline.common.errors import InputError, exit_on_input_error
from pipeline.common.files import project_root, write_text
from pipeline.data.storage.line_store import read_lines
from pipeline.inference.available_models import BEST, find_models
from pipeline.inference.line_predictions import load_predictor
from pipeline.objectives.ctc import CTC
from pipeline.runtime.machine import describe_machine

OUTPUT, TEMPLATE = Path("reports/studies/others"), Path(__file__).with_name("report.md.j2")


def write_report(table: pd.DataFrame, folder: Path, **facts: object) -> None:
    """Write both files."""
    write_text(folder / "others.csv", table.to_csv(index=False, float_format="%.4g", lineterminator="\n"))
    template = Template(TEMPLATE.read_text(encoding="utf-8"), undefined=StrictUndefined, keep_trailing_newline=True)
    sections = [(name, rows.to_dict("records")) for name, rows in table.groupby("section", sort=False)]
    write_text(
        folder / "others.md",
        template.render(sections=sections, machine=describe_machine(), cold_start=COLD_START, **facts),
    )


def main() -> None:
    """Parse the command line, and measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.others", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", action="append", default=[], help="an environment's Python; may be repeated")
    parser.add_argument("--kraken-model", type=Path, help="a trained model; without one, kraken has new weights")
    parser.add_argument("--model", default=BEST, help="a checkpoint of a CTC model; by default the best one")
    parser.add_argument("--lines", type=Path, default=Path("data/lines/variable.h5"), help="its test lines are read")
    parser.add_argument("--count", type=int, default=300, help="lines")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of others.csv and others.md")
    arguments = parser.parse_args()
    path = find_models(project_root())[0].path if arguments.model == BEST else Path(arguments.model)
    recognizer, stored = load_predictor(path).recognizer, read_lines(arguments.lines, "test")
    if not isinstance(recognizer.objective, CTC):
        raise InputError(f"{path}: is not a CTC model; name one with --model")
    lines = take(stored, arguments.count)
    kraken_model = str(arguments.kraken_model.resolve()) if arguments.kraken_model else None
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, options = Path(name), {"threads": torch.get_num_threads(), "kraken_model": kraken_model}
        lm = prepare(folder, lines, recognizer, options)
        contestants = [*ours(folder, lines, path.resolve(), lm), synthesis(lines.texts, arguments.lines.stem)]
        peers, missing = start_peers(folder, [sys.executable, *arguments.python], stack)
        contestants += peers
        for section in SECTIONS:
            measure([one for one in contestants if one.section == section], arguments.rounds)
        contestants.sort(key=lambda one: SECTIONS.index(one.section))
    write_report(
        make_table(contestants, lines.texts),
        arguments.output,
        missing=missing,
        count=len(lines),
        rounds=arguments.rounds,
        model=path.parent.name if path.stem.startswith("seed_") else path.stem,
        untrained=kraken_model is None,
        search=SEARCH,
        command=f"python -m benchmarks.others {shlex.join(_public(sys.argv[1:]))}".strip(),
    )
    print(f"benchmarks: see {arguments.output / 'others.md'}")


def _public(arguments: Sequence[str]) -> list[str]:
    """Without the places of environments and models on this machine."""
    return [word if "/" not in word or not Path(word).is_absolute() else Path(word).name for word in arguments]


if __name__ == "__main__":
    exit_on_input_error(main)
