"""Where a training keeps its progress, so that an interrupted one goes on from its last whole epoch.

The trainings of one experiment with several seeds follow one another: what those that ended have made is kept
until the last one has ended too.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock, Timeout

import pipeline
from pipeline.common.files import project_root, write_text
from pipeline.runtime.hardware import choose_precision
from pipeline.settings.experiment import TrainingSettings

FOLDER = ".training"
KEPT = 8
"""Interrupted experiments that are kept, with all their seeds; older ones go when a new one begins."""
_PACKAGE = Path(pipeline.__file__).parent


@dataclass(frozen=True)
class Progress:
    """The folder of one seed's training."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of a training that ended."""
        return self.folder / "trained.ckpt"

    @property
    def history(self) -> Path:
        """The history of a training that ended."""
        return self.folder / "history.csv"

    @property
    def seconds(self) -> float | None:
        """How long a training took that ended; None where it has not."""
        try:
            return float((self.folder / "seconds").read_text(encoding="utf-8"))
        except OSError:
            return None

    def finish(self, seconds: float) -> None:
        """The checkpoint and the history are there: the training need not be gone on with."""
        write_text(self.folder / "seconds", repr(seconds))
        for path in self.folder.glob("*.ckpt"):
            if path != self.checkpoint:
                path.unlink()

    @property
    def last(self) -> Path:
        """Lightning's checkpoint after the last whole epoch."""
        return self.folder / "last.ckpt"

    @property
    def run_id(self) -> str | None:
        """The MLflow run of this training, if it began before."""
        try:
            return (self.folder / "run").read_text(encoding="utf-8") if self.last.exists() else None
        except OSError:
            return None

    def keep_run(self, run_id: str) -> None:
        """Remember the MLflow run."""
        write_text(self.folder / "run", run_id)


@contextmanager
def progress_of(fingerprint: str) -> Iterator[Progress]:
    """The progress of the training with this fingerprint; it stays if the block is interrupted, else it is removed.

    Where another process is at the same training, this one gets a folder of its own that is not kept.
    """
    root = project_root() / FOLDER
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / f"{fingerprint}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with tempfile.TemporaryDirectory(prefix="emnist-lines-") as folder:
            yield Progress(Path(folder))
        return
    try:
        _forget_old(root, _experiment_of(fingerprint))
        progress = place_of(fingerprint)
        progress.folder.mkdir(exist_ok=True)
        yield progress
        shutil.rmtree(progress.folder)
    finally:
        lock.release()


def place_of(fingerprint: str) -> Progress:
    """Where that training keeps its progress, for the further processes of a training on several devices."""
    return Progress(project_root() / FOLDER / fingerprint)


def fingerprint_of(settings: Mapping[str, object], training: TrainingSettings, *inputs: str) -> str:
    """A name for all that decides the weights: settings, inputs (hashes of files), code, arithmetic, the seed.

    A training goes on only where all of it is as it was. Names of trainings that differ in their seed alone differ
    in what follows the `-` alone.
    """
    (seed,) = training.seeds
    code = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        code.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    decisive = {
        "settings": settings,
        "training": training.model_dump(exclude={"seeds"}),
        "inputs": inputs,
        "code": code.hexdigest(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "precision": choose_precision(training.trainer.precision, training.trainer.accelerator),
    }
    return f"{hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]}-{seed}"


def _experiment_of(fingerprint: str) -> str:
    return fingerprint.partition("-")[0]


def _forget_old(root: Path, experiment: str) -> None:
    others: dict[str, list[Path]] = {}
    for folder in root.iterdir():
        if folder.is_dir() and _experiment_of(folder.name) != experiment:
            others.setdefault(_experiment_of(folder.name), []).append(folder)
    by_age = sorted(others.values(), key=lambda folders: max(folder.stat().st_mtime for folder in folders))
    for folder in [folder for folders in by_age[: 1 - KEPT] for folder in folders]:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            (root / f"{folder.name}.lock").unlink()
