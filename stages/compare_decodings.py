"""Stage `compare_decodings`: all beam searches beside greedy decoding, in `reports/decoding.md` and its picture."""

import json
from pathlib import Path

from pipeline.common import paths
from pipeline.common.files import write_text
from pipeline.report.pages.decoding import decoding_page, decoding_summary, draw_calibration, read_decodings
from pipeline.settings.base import read_params

OUTPUT = Path("reports")


def main() -> None:
    """Write decoding.md, decoding.json and calibration.png."""
    keys = list(read_params()["decoding"])
    inputs = [path(key) for key in keys for path in (paths.decoding_metrics, paths.decoding_predictions)]
    if strays := paths.describe_strays([*inputs, *(paths.timings(key, "decode") for key in keys)]):
        print(f"compare_decodings: {strays}")
    decodings = read_decodings(keys)
    write_text(OUTPUT / "decoding.md", decoding_page(decodings))
    write_text(OUTPUT / "decoding.json", json.dumps(decoding_summary(decodings), indent=2) + "\n")
    draw_calibration(OUTPUT / "calibration.png", decodings)
    print(f"compare_decodings: {len(decodings)} beam searches; see {OUTPUT / 'decoding.md'}")
