"""Runs of several trainings at once, each in a process and a project folder of its own.

    python -m tests.services.trainings FOLDER COUNT

Each logs an epoch every two seconds until the file `end` is in FOLDER; all but the first ones wait for the file `late`
before they begin. `FOLDER/<number>/epochs` holds the number of epochs that a training has logged, `id` its run.
"""

import os
import sys
import time
from pathlib import Path

from pipeline.models.checkpoint import save_checkpoint
from pipeline.tracking.start import start_run
from tests.tiny import tiny_settings

LATE = 2
"""How many begin late."""
BEST = 1
"""The only one that logs a model, which takes seconds of a core, and only if the file `model` is in FOLDER."""
SETTINGS = tiny_settings("line_cnn_simple")


def checkpoint(folder: Path, number: int) -> Path:
    return folder / str(number) / "model.ckpt"


def train(folder: Path, number: int, late: bool) -> None:
    own = folder / str(number)
    own.mkdir()
    os.environ["DVC_ROOT"] = str(own)
    save_checkpoint(checkpoint(folder, number), SETTINGS, SETTINGS.build())
    wait_for(folder / "late") if late else None
    with start_run(f"experiment_{number}", {"number": number}, {"loss": "ctc"}) as run:
        run.log_file(checkpoint(folder, number))
        epoch = 0
        while not (folder / "end").exists():
            run.log_epoch(epoch, {"val_cer": 1 / (1 + epoch), "test_cer": 1 / (1 + number)})
            epoch += 1
            (own / "epochs").write_text(str(epoch))
            time.sleep(2)
        if number == BEST and (folder / "model").exists():
            run.log_model(checkpoint(folder, number), SETTINGS.height)
        run.mark_complete(f"model_{number}")
    (own / "id").write_text(run.id)


def wait_for(file: Path) -> None:
    while not file.exists():
        time.sleep(0.1)


if __name__ == "__main__":
    import mlflow.pyfunc  # noqa: F401  # once for all processes

    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    children = []
    for number in range(count):
        if child := os.fork():
            children.append(child)
            continue
        train(folder, number, late=number >= count - LATE)
        sys.exit()
    statuses = [os.waitpid(child, 0)[1] for child in children]
    sys.exit(any(statuses))
