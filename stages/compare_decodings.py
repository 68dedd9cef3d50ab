"""Stage `compare_decodings`: all beam searches beside the greedy readings, `reports/decoding.md` and its picture."""

import json
from collections.abc import Iterable
from pathlib import Path

from pipeline.common.files import write_text
from pipeline.report.pages.decoding import decoding_page, decoding_summary, draw_reliability, read_decoding
from pipeline.settings.base import read_params

OUTPUT = Path("reports")


def run(keys: Iterable[str], output: Path) -> None:
    """Write decoding.md, decoding.json and calibration.png."""
    decodings = [read_decoding(key) for key in keys]
    write_text(output / "decoding.md", decoding_page(decodings))
    write_text(output / "decoding.json", json.dumps(decoding_summary(decodings), indent=2) + "\n")
    draw_reliability(output / "calibration.png", decodings)
    print(f"compare_decodings: {len(decodings)} beam searches; see {output / 'decoding.md'}")


def main() -> None:
    """Read the settings and run."""
    run(read_params()["decoding"], OUTPUT)
