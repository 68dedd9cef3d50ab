"""Measure what a stage costs on a Ray cluster beyond its own work.

    ray start --head
    python -m benchmarks.cluster --cluster auto --remote s3://bucket/benchmark

It runs stages that write files, and stages that read them, one at a time: with `dvc repro --single-item` here, and on
the cluster. Without `--remote`, a folder of this machine is the DVC remote.
"""

import argparse
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from pipeline.common.errors import exit_on_input_error
from pipeline.common.files import write_text
from pipeline.orchestration.cluster.driver import TIMES
from pipeline.orchestration.stage import DVC
from pipeline.runtime.machine import describe_machine

OUTPUT = Path("reports/studies/cluster")
WRITE = "import sys; open(sys.argv[1], 'wb').write(sys.argv[1].encode() * (int(sys.argv[2]) // len(sys.argv[1])))"
READ = "import sys; open(sys.argv[1], 'w').write(str(len(open(sys.argv[2], 'rb').read())))"
PAGE = """# What a stage costs on a cluster

Seconds of a stage that only writes or reads a file of {megabytes:.0f} MB. One stage runs at a time; medians of
{count} stages each.

| step | writes | reads |
| --- | --- | --- |
| one machine: `dvc repro --single-item` | {here[write]:.1f} | {here[read]:.1f} |
| cluster, all together | {write[seconds]:.1f} | {read[seconds]:.1f} |
| – pull the inputs | {write[pull]:.1f} | {read[pull]:.1f} |
| – `dvc repro --single-item` | {write[run]:.1f} | {read[run]:.1f} |
| – push the outputs | {write[push]:.1f} | {read[push]:.1f} |
| – the rest: Ray, the workspace, a new process | {write[rest]:.1f} | {read[rest]:.1f} |
| MB of inputs, with the code | {write[input_mb]:.2f} | {read[input_mb]:.2f} |
| MB of outputs | {write[output_mb]:.2f} | {read[output_mb]:.2f} |

Ray nodes: {nodes}, on machines: {machines}. DVC remote: {remote}. Made by `python -m benchmarks.cluster` on {machine}.
"""


def write_project(root: Path, count: int, megabytes: float) -> None:
    """A DVC project without git: `count` stages that write a file, and as many that read one."""
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (root / "write.py").write_text(WRITE)
    (root / "read.py").write_text(READ)
    stages = {}
    for number in range(count):
        made, seen = f"made/{number}", f"seen_{number}"
        stages[f"write_{number}"] = {
            "cmd": f"mkdir -p made && python write.py {made} {int(megabytes * 1e6)}",
            "deps": ["write.py"],
            "outs": [made],
        }
        stages[f"read_{number}"] = {"cmd": f"python read.py {seen} {made}", "deps": [made, "read.py"], "outs": [seen]}
    YAML().dump({"stages": stages}, root / "dvc.yaml")


def measure_here(root: Path, count: int) -> dict[str, float]:
    """Seconds of a stage of each kind in the project itself."""
    seconds: dict[str, list[float]] = {"write": [], "read": []}
    for kind, times in seconds.items():
        for number in range(count):
            start = time.monotonic()
            command = [*DVC, "repro", "--quiet", "--single-item", f"{kind}_{number}"]
            subprocess.run(command, cwd=root, check=True)
            times.append(time.monotonic() - start)
    return {kind: statistics.median(times) for kind, times in seconds.items()}


def count_nodes(address: str) -> int:
    """Ray nodes of the cluster."""
    import ray

    ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    nodes = sum(node["Alive"] for node in ray.nodes())
    ray.shutdown()
    return nodes


def measure_cluster(root: Path, address: str, remote: str) -> pd.DataFrame:
    """The times of all stages on the cluster, with their kind."""
    subprocess.run([*DVC, "remote", "add", "--quiet", "--default", "store", remote], cwd=root, check=True)
    command = [sys.executable, "-m", "pipeline", "repro", "--cluster", address, "--jobs", "1"]
    subprocess.run(command, cwd=root, check=True)
    times = pd.read_csv(root / TIMES)
    times["kind"] = times["stage"].str.split("_").str[0]
    times["rest"] = times["seconds"] - times[["pull", "run", "push"]].sum(axis="columns")
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", required=True, metavar="ADDRESS", help="of the Ray cluster, such as `auto`")
    parser.add_argument("--remote", metavar="URL", help="a DVC remote that all machines reach")
    parser.add_argument("--stages", type=int, default=10, help="stages of each kind (default: 10)")
    parser.add_argument("--megabytes", type=float, default=20.0, help="size of each file (default: 20)")
    arguments = parser.parse_args()
    count, megabytes = arguments.stages, arguments.megabytes
    with tempfile.TemporaryDirectory() as folder:
        for name in ("here", "cluster"):
            (Path(folder) / name).mkdir()
            write_project(Path(folder) / name, count, megabytes)
        here = measure_here(Path(folder) / "here", count)
        remote = arguments.remote or f"{folder}/remote"
        times = measure_cluster(Path(folder) / "cluster", arguments.cluster, remote)
    times["input_mb"], times["output_mb"] = times.pop("input_bytes") / 1e6, times.pop("output_bytes") / 1e6
    medians = times.groupby("kind").median(numeric_only=True).to_dict("index")
    place = remote.partition(":")[0].upper() if "://" in remote else "a folder"
    text = PAGE.format(
        megabytes=megabytes,
        count=count,
        here=here,
        nodes=count_nodes(arguments.cluster),
        machines=times["machine"].nunique(),
        remote=place,
        machine=describe_machine(),
        **medians,
    )
    write_text(OUTPUT / "cluster.md", text)
    write_text(OUTPUT / "stages.csv", times.to_csv(index=False, float_format="%.3f"))
    print(f"wrote {OUTPUT / 'cluster.md'}")


if __name__ == "__main__":
    exit_on_input_error(main)
