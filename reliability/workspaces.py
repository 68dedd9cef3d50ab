"""Small workspaces for the real commands, and their outputs."""

import csv
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.common.files import file_sha256
from pipeline.orchestration.workspace import make_workspace
from pipeline.settings.base import PARAMS_FILE

PROJECT = Path(__file__).parents[1]
LINES, EXPERIMENT = "variable", "cnn_ctc_variable"
OUTPUTS = ("data", "models", "history", "metrics", "predictions", "reports")
TIMES = ("lines_per_second", "training_seconds")
"""Columns of the comparison that differ from run to run."""
LEFT_OUT = ("index.html", "comparison.md", "language_model.h5", "decoding.md", "decoding.json", "calibration.png")
"""Outputs that are not compared: pages that contain times, and decoding with a language model."""
UNFINISHED_BY_DVC = ".*.tmp"
"""Copies from the cache that a killed `dvc` left unfinished. `.dvcignore` excludes them from dependencies."""
SECONDS = 600
"""Time after which a command counts as hanging."""


@dataclass(frozen=True)
class Sources:
    """Paths of real characters and text. None stands for the built-in ones."""

    archive: Path | None = None
    corpus: Path | None = None

    @property
    def name(self) -> str:
        """Description of the data for the report."""
        characters = "EMNIST's characters" if self.archive else "built-in glyphs"
        return f"{characters}, {'the Brown corpus' if self.corpus else 'built-in text'}"

    def profile(self) -> dict[str, Any]:
        """Return the settings for these sources."""
        emnist = {"source": "archive", "archive": str(self.archive.resolve())} if self.archive else {"source": "glyphs"}
        corpus = {"source": "archive", "archive": str(self.corpus.resolve())} if self.corpus else {"source": "builtin"}
        return {"emnist": {**emnist, "glyphs": {"train_per_class": 4, "test_per_class": 2}}, "corpus": corpus}


SMALL_LINES = {"max_length": 8, "train": 40, "validation": 10, "test": 10}
SMALL_TRAINING = {"max_epochs": 3, "batch_size": 20, "trainer": {"accelerator": "cpu", "precision": "32-true"}}
SMALL_MODEL = {"conv_dim": 4, "fc_dim": 8}


@dataclass(frozen=True)
class Workspace:
    """A copy of the pipeline with one experiment. Its commands do not see the caller's DVC, MLflow or git settings."""

    root: Path
    threads: int | None = 1
    hash_seed: str = "0"

    def environment(self) -> dict[str, str]:
        """Return the environment of the commands."""
        hidden = ("MLFLOW", "DVC", "GIT_", "PYTHON")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
        who = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        numbers = {"PYTHONHASHSEED": self.hash_seed}
        if self.threads:
            numbers["OMP_NUM_THREADS"] = str(self.threads)
        return {**kept, **who, **numbers, "PATH": path}

    def start(self, *command: str, log: str = "log.txt", **options: Any) -> subprocess.Popen[bytes]:
        """Start a command in a new session; its output goes to a file beside the workspace."""
        with (self.root.parent / log).open("wb") as file:
            return subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environment(),
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                # If a shell started this process in the background, all children would ignore Ctrl-C.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                **options,
            )

    def run(self, *command: str, seconds: float = SECONDS, log: str = "log.txt") -> tuple[int, str]:
        """Run a command; return its exit status and its output. A hanging command is killed."""
        process = self.start(*command, log=log)
        with ended(process):
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                return -1, f"hung for {seconds} s"
        return process.returncode, self.printed(log)

    def printed(self, log: str = "log.txt") -> str:
        """Return the output of a command."""
        return (self.root.parent / log).read_text(encoding="utf-8", errors="replace")

    def repro(self) -> tuple[int, str]:
        """Run `dvc repro`; return as `run`."""
        return self.run(*DVC, "repro")

    def outputs(self) -> dict[str, str]:
        """Return the hash of every output by its path, without the times that some contain."""
        files = [path for top in OUTPUTS for path in sorted((self.root / top).rglob("*")) if path.is_file()]
        counted = [path for path in files if path.name not in LEFT_OUT and not fnmatch(path.name, UNFINISHED_BY_DVC)]
        return {path.relative_to(self.root).as_posix(): hash_output(path) for path in counted}

    def forget(self) -> None:
        """Remove every output, DVC's cache and lock, and the MLflow store."""
        for name in (*OUTPUTS, ".dvc/cache", ".dvc/tmp", ".training", "mlruns"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        for path in (self.root / "dvc.lock", *self.root.glob("mlflow.db*")):
            path.unlink(missing_ok=True)


DVC = (sys.executable, "-m", "pipeline.orchestration.dvc_repair")
"""The command `dvc` of the project's environment."""


def stage_command(stage: str) -> tuple[str, ...]:
    """Return the command of a stage such as `train cnn_ctc_variable`."""
    name, *arguments = stage.split()
    return (sys.executable, "-m", "stages", name, *arguments)


def make_small_workspace(
    root: Path, sources: Sources, changes: Mapping[str, Any] | None = None, **options: Any
) -> Workspace:
    """Make a workspace with one small data set and one small experiment; `changes` update sections of params.yaml."""
    lines, training, model = SMALL_LINES, SMALL_TRAINING, SMALL_MODEL
    overrides = {
        **sources.profile(),
        "lines": {"*": lines},
        "training": training,
        "experiments": {"*": {"model": model}},
    }
    make_workspace(PROJECT, root, overrides)
    params = YAML().load(root / PARAMS_FILE)
    for section, name in (("lines", LINES), ("experiments", EXPERIMENT)):
        params[section] = {name: params[section][name]}
    decoding = {name: block for name, block in params["decoding"].items() if block["experiment"] == EXPERIMENT}
    params["decoding"] = decoding
    for section, block in (changes or {}).items():
        params[section].update(block)
    YAML().dump(params, root / PARAMS_FILE)
    return Workspace(root, **options)


def hash_output(path: Path) -> str:
    """Return the SHA-256 of a file; of a CSV, without the columns of times."""
    if path.suffix != ".csv":
        return file_sha256(path)
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8", errors="replace"))))
    kept = [column for column, name in enumerate(rows[0] if rows else []) if name not in TIMES]
    text = "\n".join(",".join(row[column] for column in kept if column < len(row)) for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def find_difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Describe the first output, in pipeline order, that is missing, left over or different; "" if there is none."""
    order = {top: number for number, top in enumerate(OUTPUTS)}
    for path in sorted(expected.keys() | found.keys(), key=lambda path: (order[path.split("/")[0]], path)):
        if path not in found:
            return f"{path} is missing"
        if path not in expected:
            return f"{path} is left over"
        if found[path] != expected[path]:
            return f"{path} differs"
    return ""


@contextmanager
def ended(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    """End every process of the processes' sessions at the end of the block."""
    try:
        yield
    finally:
        for process in processes:
            end_session(process.pid)
            process.wait()


def end_session(leader: int) -> None:
    """Kill every process of the session that `leader` started."""
    for pid in list_session(leader):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def list_session(leader: int) -> Sequence[int]:
    """Return the running processes of a session (Linux)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            state, _, _, session = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(folder.name))
    return found


def wait_for_session(leader: int, seconds: float = SECONDS) -> bool:
    """Wait until the session has no process; return whether this happened in time."""
    end = time.monotonic() + seconds
    while list_session(leader):
        if time.monotonic() > end:
            end_session(leader)
            return False
        time.sleep(0.05)
    return True
