"""Measure the peak memory of stages that work on many lines."""

import time
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.memory import peak_memory
from pipeline.common.progress import progress_bar
from reliability.results import Row
from reliability.workspaces import (
    EXPERIMENT,
    LINES,
    Sources,
    Workspace,
    end_session,
    make_small_workspace,
    stage_command,
)

LIMIT = 2 * 2**30
"""Bytes of memory that no stage may exceed."""
COUNT = 100_000
MODEL = {"conv_dim": 8, "fc_dim": 32}
BATCH = 64


def measure(folder: Path, sources: Sources, seconds: float, count: int = COUNT) -> list[Row]:
    """Run the pipeline up to `evaluate` with `count` training and test lines, for at most `seconds` per stage."""
    workspace = make_small_workspace(folder / "workspace", sources)
    _enlarge(workspace, count)
    rows = []
    stages = ("check", "download", "corpus", f"synthesize {LINES}", f"train {EXPERIMENT}", f"evaluate {EXPERIMENT}")
    for stage in progress_bar(stages, desc="memory", unit="stage"):
        status, peak = measure_peak(workspace, stage, seconds)
        if " " not in stage and status == 0:
            continue
        failed = status != 0 or peak > LIMIT
        ended = f", ended with {status}: {workspace.printed()[-300:]}" if status else ""
        rows.append(Row(f"memory: {stage.split()[0]}, {count} lines", 1, int(failed), f"{peak / 2**20:.0f} MiB{ended}"))
    return rows


def _enlarge(workspace: Workspace, count: int) -> None:
    path = workspace.root / "params.yaml"
    params = YAML().load(path)
    params["lines"][LINES].update(max_length=32, train=count, validation=min(count, 2000), test=count)
    params["training"].update(max_epochs=1, batch_size=BATCH)
    params["experiments"][EXPERIMENT]["model"].update(MODEL)
    if params["emnist"]["source"] == "glyphs":
        params["emnist"]["glyphs"].update(train_per_class=100, test_per_class=40)
    YAML().dump(params, path)


def measure_peak(workspace: Workspace, stage: str, seconds: float) -> tuple[int, int]:
    """Return exit status and peak memory (bytes) of one stage, which is killed after `seconds`."""
    process = workspace.start(*stage_command(stage))
    end, peak = time.monotonic() + seconds, 0
    try:
        while process.poll() is None:
            if time.monotonic() > end:
                return -1, 0
            peak = max(peak, peak_memory(process.pid))
            time.sleep(0.02)
        return process.returncode, peak
    finally:
        end_session(process.pid)
        if process.returncode is None:
            process.wait()
