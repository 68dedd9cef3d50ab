"""Measure how DVC and an MLflow server grow with the number of stages and of runs.

    python -m benchmarks.scale
    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python -m benchmarks.scale

For 10, 100 and 1,000 stages it makes a project in which everything is up to date, and measures what a driver and its
workers do with it. It logs as many runs to the MLflow server, if there is one: to a new one, as runs stay there.
"""

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from pipeline.common.errors import exit_on_input_error
from pipeline.common.files import write_text
from pipeline.orchestration.cluster.lock_file import read_lock, write_lock
from pipeline.orchestration.stage import DVC
from pipeline.runtime.machine import describe_machine
from pipeline.tracking.start import create_run
from pipeline.tracking.store import Store, open_store

OUTPUT = Path("reports/studies/scale")
SIZES = (10, 100, 1_000)
EXTRAPOLATED = 10_000
CODE = 30
"""Files that each stage depends on, as a training does."""
METRICS = ("train_loss", "val_loss", "val_cer")
MLFLOW = "MLflow:"
EPOCHS, CLIENTS, TIMED = 10, 4, 20
"""Epochs of a run, trainings that log at the same time, and runs that are timed."""
PAGE = """# How the work of a driver and of an MLflow server grows

Seconds of a core for DVC, seconds for MLflow; the last column follows a line from {first:,} to {last:,}.

{table}
Half of the stages are trainings, half are evaluations; each depends on {code} files. A run has {epochs} epochs;
{clients} clients log at the same time. Made by `python -m benchmarks.scale`{server}, on {machine}.
"""


def write_project(root: Path, stages: int) -> None:
    """A DVC project without git in which everything is up to date, as if its stages had run."""
    (root / "code").mkdir(parents=True)
    code = [f"code/{number}.py" for number in range(CODE)]
    for file in code:
        (root / file).write_text(f"# {file}\n")
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    keys = {f"k{number}": {"rate": number} for number in range(stages // 2)}
    YAML().dump({"experiments": keys}, root / "params.yaml")
    blocks = {}
    lock = {}
    for kind, made, needs in (("train", "models", []), ("evaluate", "metrics", ["models/${key}"])):
        command, deps = f"python {kind}.py ${{key}}", [*needs, *code]
        do = {"cmd": command, "params": ["experiments.${key}"], "deps": deps, "outs": [f"{made}/${{key}}"]}
        blocks[kind] = {"foreach": "${experiments}", "do": do}
        (root / made).mkdir()
        for key, block in keys.items():
            out = f"{made}/{key}"
            (root / out).write_text(out)
            inputs = sorted(file.replace("${key}", key) for file in deps)
            lock[f"{kind}@{key}"] = {
                "cmd": command.replace("${key}", key),
                "deps": [describe(root, file) for file in inputs],
                "params": {"params.yaml": {f"experiments.{key}": block}},
                "outs": [describe(root, out)],
            }
    YAML().dump({"stages": blocks}, root / "dvc.yaml")
    os.chdir(root)
    write_lock(lock)


def describe(root: Path, file: str) -> dict[str, object]:
    """A file's entry in `dvc.lock`; a copy goes to DVC's cache."""
    content = (root / file).read_bytes()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    cached = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(content)
    return {"path": file, "hash": "md5", "md5": md5, "size": len(content)}


def seconds(action: Callable[[], object]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


def core_seconds(action: Callable[[], object]) -> float:
    """Of this process and of those that it starts: other programs on the machine do not count."""
    start = sum(os.times()[:4])
    action()
    return sum(os.times()[:4]) - start


def dvc(*arguments: str) -> Callable[[], object]:
    command = [*DVC, *arguments]

    def run() -> None:
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert "Running" not in output, output

    return run


def merge_one() -> None:
    """What DVC does when a stage has ended."""
    entries = read_lock()
    entries["train@k0"] = dict(entries["train@k0"])
    write_lock(entries)


def measure_dvc(stages: int) -> Iterator[tuple[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        try:
            write_project(Path(folder) / "project", stages)
            dvc("repro", "--quiet")()  # DVC remembers the hashes of files
            yield "`dvc repro`, nothing to do", core_seconds(dvc("repro"))
            yield "`dvc repro --single-item`, nothing to do", core_seconds(dvc("repro", "--single-item", "train@k0"))
            yield "one entry merged into `dvc.lock`", core_seconds(merge_one)
            yield "`dvc.lock`, MB", Path("dvc.lock").stat().st_size / 1e6
        finally:
            os.chdir(before)


def log_run(store: Store, number: int, epochs: int = EPOCHS) -> None:
    """As a training does, without files."""
    settings = {"model": {f"size_{index}": index for index in range(30)}, "number": number}
    with create_run(store, f"experiment_{number}", settings, {"loss": "ctc"}) as run:
        for epoch in range(epochs):
            run.log_epoch(epoch, dict.fromkeys(METRICS, 1 / (1 + epoch + number)))
        run.log_metrics({"test_cer": 1 / (1 + number)})
        run.mark_complete(f"model_{number}")


def measure_mlflow(runs: int) -> Iterator[tuple[str, float]]:
    """Log runs until the server has so many; then time those that follow, and searches among them."""
    store = open_store()
    present = len(all_runs(store))
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda number: log_run(store, number, epochs=0), range(present, runs)))
        logged = range(runs, runs + TIMED)
        taken = seconds(lambda: list(clients.map(lambda number: log_run(store, number), logged)))
    yield f"{MLFLOW} runs logged in a second", TIMED / taken
    client, ids = store.client, [store.experiment_id]
    order = ["metrics.test_cer ASC"]
    yield f"{MLFLOW} the best 100 runs", seconds(lambda: client.search_runs(ids, max_results=100, order_by=order))
    found = "tags.model_md5 = 'model_1'"
    yield f"{MLFLOW} the run of a model", seconds(lambda: client.search_runs(ids, found, max_results=1))


def all_runs(store: Store) -> list[object]:
    found, token = [], None
    while True:
        page = store.client.search_runs([store.experiment_id], max_results=1_000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def extrapolate(values: Mapping[int, float]) -> float:
    """The value at `EXTRAPOLATED` on the line through the smallest and the largest size."""
    first, last = min(values), max(values)
    return values[last] + (values[last] - values[first]) / (last - first) * (EXTRAPOLATED - last)


def write_report(rows: pd.DataFrame, server: bool) -> None:
    first, *_, last = rows.columns
    far = {
        what: math.nan if what.startswith(MLFLOW) else extrapolate(row) for what, row in rows.to_dict("index").items()
    }
    shown = rows.assign(**{f"{EXTRAPOLATED:,} (extrapolated)": far})
    header = " | ".join(["", *(name if isinstance(name, str) else f"{name:,}" for name in shown.columns)])
    lines = [f"|{header} |", "|" + " --- |" * (1 + len(shown.columns))]
    lines += [
        f"| {what} | " + " | ".join("" if math.isnan(value) else f"{value:.3g}" for value in values) + " |"
        for what, *values in shown.itertuples()
    ]
    text = PAGE.format(
        first=first,
        last=last,
        table="\n".join(lines) + "\n",
        code=CODE,
        epochs=EPOCHS,
        clients=CLIENTS,
        machine=describe_machine(),
        server=", with an MLflow server on the same machine" if server else "",
    )
    write_text(OUTPUT / "scale.md", text)
    write_text(OUTPUT / "scale.csv", rows.rename_axis("what").to_csv(float_format="%.4g"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of stages and of runs, ascending")
    sizes = parser.parse_args().sizes
    server = os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http")
    measured: dict[int, dict[str, float]] = {}
    for size in sizes:
        measured[size] = dict(measure_dvc(size))
        if server:
            measured[size] |= dict(measure_mlflow(size))
        print(f"scale: {size}: {json.dumps(measured[size])}", file=sys.stderr, flush=True)
    write_report(pd.DataFrame(measured), server)
    print(f"wrote {OUTPUT / 'scale.md'}")


if __name__ == "__main__":
    exit_on_input_error(main)
