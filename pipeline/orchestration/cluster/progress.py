"""Keep the progress of a training in the DVC remote, so that it resumes on any machine.

A training writes its progress to `.training/` in its workspace after each epoch (`pipeline/training/resume.py`). It
finds there what it needs, or ignores what does not suit it.
"""

import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(".training")
CHECKPOINT = "*/last.ckpt"
PERIOD = 5.0
"""Seconds between two looks whether there is a new checkpoint."""


@contextmanager
def kept_in_remote(name: str) -> Iterator[Callable[[], None]]:
    """Restore the progress called `name`, and keep it up to date in the block; yield what to call to remove it.

    Nothing is kept under an empty name.
    """
    if not name:
        yield lambda: None
        return
    from dvc.repo import Repo

    with Repo() as repo:
        kept = _Progress(repo.cloud.get_remote(), name)
        kept.restore()
        ended = threading.Event()
        keeper = threading.Thread(target=kept.keep, args=(ended,), daemon=True)
        keeper.start()
        try:
            yield kept.remove_at_end
        finally:
            ended.set()
            keeper.join()


class _Progress:
    def __init__(self, remote: "object", name: str) -> None:
        self.fs = remote.fs  # type: ignore[attr-defined]
        self.path = self.fs.join(remote.path, "training", f"{name}.tar")  # type: ignore[attr-defined]
        self.saved: object = None
        self.finished = False

    def restore(self) -> None:
        if not self.fs.exists(self.path):
            return
        with self.fs.open(self.path, "rb") as file, tarfile.open(fileobj=io.BytesIO(file.read())) as archive:
            archive.extractall(filter="data")
        self.saved = self._state()

    def keep(self, ended: threading.Event) -> None:
        """Save each new checkpoint until the end."""
        while not ended.wait(PERIOD):
            self._save_new()
        if not self.finished:
            self._save_new()
        elif self.saved:
            self.fs.rm_file(self.path)

    def remove_at_end(self) -> None:
        self.finished = True

    def _state(self) -> object:
        return sorted((str(path), path.stat().st_mtime_ns) for path in FOLDER.glob(CHECKPOINT))

    def _save_new(self) -> None:
        state = self._state()
        if not state or state == self.saved:
            return
        partial = Path(".training.tar")
        with tarfile.open(partial, "w") as archive:
            archive.add(FOLDER)
        self.fs.makedirs(self.fs.parent(self.path))
        with partial.open("rb") as file:
            self.fs.upload_fobj(file, self.path)  # whole or not at all
        self.saved = state
