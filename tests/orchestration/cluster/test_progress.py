"""Both ends of the progress agree about its place."""

from pathlib import Path

from pipeline.orchestration.cluster.progress import CHECKPOINT, FOLDER
from pipeline.training import resume


def test_the_names_are_those_of_the_training(tmp_path: Path) -> None:
    assert str(FOLDER) == resume.FOLDER
    last = resume.TrainingProgress(tmp_path / "print").last_checkpoint
    assert list(tmp_path.glob(CHECKPOINT)) == []
    last.parent.mkdir()
    last.touch()
    assert list(tmp_path.glob(CHECKPOINT)) == [last]
