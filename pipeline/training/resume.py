"""Keep the progress of trainings in `.training/`, so that an interrupted one resumes after its last whole epoch.

The seeds of one experiment are trained one after the other. The results of finished seeds are kept until the last
seed has finished.
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
MAX_KEPT = 8
"""Interrupted experiments that are kept, each with all its seeds. A new one replaces the oldest."""
_PACKAGE = Path(pipeline.__file__).parent


@dataclass(frozen=True)
class TrainingProgress:
    """The folder of one seed's training."""

    folder: Path

    @property
    def last_checkpoint(self) -> Path:
        """Lightning's checkpoint after the last whole epoch."""
        return self.folder / "last.ckpt"

    @property
    def trained_checkpoint(self) -> Path:
        """The result of a finished training."""
        return self.folder / "trained.ckpt"

    @property
    def history(self) -> Path:
        """The history of a finished training."""
        return self.folder / "history.csv"

    @property
    def seconds(self) -> float | None:
        """The time of a finished training; None if it has not finished."""
        try:
            return float((self.folder / "seconds").read_text(encoding="utf-8"))
        except OSError:
            return None

    def finish(self, seconds: float) -> None:
        """Mark the training as finished, after `trained_checkpoint` and `history` are written. Drop the rest."""
        write_text(self.folder / "seconds", repr(seconds))
        for path in self.folder.glob("*.ckpt"):
            if path != self.trained_checkpoint:
                path.unlink()

    @property
    def run_id(self) -> str | None:
        """The MLflow run that an interrupted training began; None if there is none."""
        try:
            return (self.folder / "run").read_text(encoding="utf-8")
        except OSError:
            return None

    def save_run_id(self, run_id: str) -> None:
        """Remember the MLflow run."""
        write_text(self.folder / "run", run_id)


@contextmanager
def open_progress(fingerprint: str) -> Iterator[TrainingProgress]:
    """Open the progress of a training. Keep it if the block raises, else remove it.

    If another process holds the same training, this one gets a temporary folder instead.
    """
    root = project_root() / FOLDER
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / f"{fingerprint}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with tempfile.TemporaryDirectory(prefix="emnist-lines-") as folder:
            yield TrainingProgress(Path(folder))
        return
    try:
        _remove_oldest(root, _experiment_part(fingerprint))
        progress = find_progress(fingerprint)
        progress.folder.mkdir(exist_ok=True)
        yield progress
        shutil.rmtree(progress.folder)
    finally:
        lock.release()


def find_progress(fingerprint: str) -> TrainingProgress:
    """Where a training keeps its progress. For the further processes of a training on several devices."""
    return TrainingProgress(project_root() / FOLDER / fingerprint)


def make_fingerprint(settings: Mapping[str, object], training: TrainingSettings, *inputs: str) -> str:
    """Hash everything that decides the weights: settings, `inputs` (hashes of files), code, arithmetic.

    A training resumes only if its fingerprint is the same. The seed is the part after the `-`, so that all seeds of
    one experiment share the part before it.
    """
    (seed,) = training.seeds
    code = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        code.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    identity = {
        "settings": settings,
        "training": training.model_dump(exclude={"seeds"}),
        "inputs": inputs,
        "code": code.hexdigest(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "precision": choose_precision(training.trainer.precision, training.trainer.accelerator),
    }
    return f"{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]}-{seed}"


def _experiment_part(fingerprint: str) -> str:
    return fingerprint.partition("-")[0]


def _remove_oldest(root: Path, experiment: str) -> None:
    """Make room for `experiment` among at most `MAX_KEPT`. The age of an experiment is that of its newest seed."""
    by_experiment: dict[str, list[Path]] = {}
    for folder in root.iterdir():
        if folder.is_dir() and _experiment_part(folder.name) != experiment:
            by_experiment.setdefault(_experiment_part(folder.name), []).append(folder)
    by_age = sorted(by_experiment.values(), key=lambda folders: max(folder.stat().st_mtime for folder in folders))
    for folder in [folder for folders in by_age[: 1 - MAX_KEPT] for folder in folders]:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            (root / f"{folder.name}.lock").unlink()
