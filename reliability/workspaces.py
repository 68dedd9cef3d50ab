"""Small workspaces in which the real commands run, and what they leave there."""

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
"""Columns of the comparison that no two runs share."""
LEFT_OUT = ("index.html", "comparison.md", "language_model.h5", "decoding.md", "decoding.json", "calibration.png")
"""Pages that state times among all else, and what comes after the experiments: reading with a language model."""
UNFINISHED_BY_DVC = ".*.tmp"
"""What a `dvc` that is killed leaves of a copy from its cache; `.dvcignore` sees to it that no stage depends on it."""
SECONDS = 600
"""After which a command counts as hanging."""


@dataclass(frozen=True)
class Sources:
    """Real characters and text, if their paths are given; else the built-in ones."""

    archive: Path | None = None
    corpus: Path | None = None

    @property
    def name(self) -> str:
        """What people should call the data."""
        characters = "EMNIST's characters" if self.archive else "built-in glyphs"
        return f"{characters}, {'the Brown corpus' if self.corpus else 'built-in text'}"

    def profile(self) -> dict[str, Any]:
        """Their settings."""
        emnist = {"source": "archive", "archive": str(self.archive.resolve())} if self.archive else {"source": "glyphs"}
        corpus = {"source": "archive", "archive": str(self.corpus.resolve())} if self.corpus else {"source": "builtin"}
        return {"emnist": {**emnist, "glyphs": {"train_per_class": 4, "test_per_class": 2}}, "corpus": corpus}


SMALL_LINES = {"max_length": 8, "train": 40, "validation": 10, "test": 10}
SMALL_TRAINING = {"max_epochs": 3, "batch_size": 20, "trainer": {"accelerator": "cpu", "precision": "32-true"}}
SMALL_MODEL = {"conv_dim": 4, "fc_dim": 8}


@dataclass(frozen=True)
class Workspace:
    """A copy of the pipeline with one experiment, whose commands see nothing of the caller's environment."""

    root: Path
    threads: int | None = 1
    hash_seed: str = "0"

    def environment(self) -> dict[str, str]:
        """What commands see."""
        hidden = ("MLFLOW", "DVC", "GIT_", "PYTHON")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
        who = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        numbers = {"PYTHONHASHSEED": self.hash_seed}
        if self.threads:
            numbers["OMP_NUM_THREADS"] = str(self.threads)
        return {**kept, **who, **numbers, "PATH": path}

    def start(self, *command: str, log: str = "log.txt", **options: Any) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own; what it prints goes to a file beside the workspace."""
        with (self.root.parent / log).open("wb") as file:
            return subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environment(),
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                # Where a shell started us in the background, Ctrl-C would be ignored by all our children.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                **options,
            )

    def run(self, *command: str, seconds: float = SECONDS, log: str = "log.txt") -> tuple[int, str]:
        """Run a command to its end; its status and what it printed. A hanging one is killed."""
        process = self.start(*command, log=log)
        with ended(process):
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                return -1, f"hung for {seconds} s"
        return process.returncode, self.printed(log)

    def printed(self, log: str = "log.txt") -> str:
        """What a command printed."""
        return (self.root.parent / log).read_text(encoding="utf-8", errors="replace")

    def repro(self) -> tuple[int, str]:
        """`dvc repro`."""
        return self.run(*DVC, "repro")

    def outputs(self) -> dict[str, str]:
        """The hash of every output by its path, without the times that some state."""
        files = [path for top in OUTPUTS for path in sorted((self.root / top).rglob("*")) if path.is_file()]
        counted = [path for path in files if path.name not in LEFT_OUT and not fnmatch(path.name, UNFINISHED_BY_DVC)]
        return {path.relative_to(self.root).as_posix(): hash_of(path) for path in counted}

    def forget(self) -> None:
        """Remove every output and all that DVC and MLflow know."""
        for name in (*OUTPUTS, ".dvc/cache", ".dvc/tmp", ".training", "mlruns"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        for path in (self.root / "dvc.lock", *self.root.glob("mlflow.db*")):
            path.unlink(missing_ok=True)


DVC = (sys.executable, "-m", "pipeline.orchestration.dvc_repair")
"""What the command `dvc` of the project's environment runs."""


def stage_command(stage: str) -> tuple[str, ...]:
    """The command of a stage, such as `train cnn_ctc_variable`."""
    name, *arguments = stage.split()
    return (sys.executable, "-m", "stages", name, *arguments)


def make(root: Path, sources: Sources, changes: Mapping[str, Any] | None = None, **options: Any) -> Workspace:
    """A workspace with one small data set and one small experiment; `changes` are laid over sections."""
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


def hash_of(path: Path) -> str:
    """SHA-256 of a file without the times that a table may state."""
    if path.suffix != ".csv":
        return file_sha256(path)
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8", errors="replace"))))
    kept = [column for column, name in enumerate(rows[0] if rows else []) if name not in TIMES]
    text = "\n".join(",".join(row[column] for column in kept if column < len(row)) for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """The first output, in the order of the pipeline, that is missing, of no use, or different; empty if none is."""
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
    """See that nothing of the processes' sessions is left at the end of the block."""
    try:
        yield
    finally:
        for process in processes:
            end_session(process.pid)
            process.wait()


def end_session(leader: int) -> None:
    """Kill every process of the session that `leader` began, and of its process group."""
    for pid in session_of(leader):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def session_of(leader: int) -> Sequence[int]:
    """The living processes of a session (Linux)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            state, _, _, session = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(folder.name))
    return found


def wait_for_session(leader: int, seconds: float = SECONDS) -> bool:
    """Wait until no process of the session is left; whether that came in time."""
    end = time.monotonic() + seconds
    while session_of(leader):
        if time.monotonic() > end:
            end_session(leader)
            return False
        time.sleep(0.05)
    return True
