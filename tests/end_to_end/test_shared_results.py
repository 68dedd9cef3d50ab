"""Results travel through a DVC remote: a clone reads pictures without a training."""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

from tests.end_to_end.workspace import LSTM, Workspace


def test_a_clone_that_pulls_can_read_at_once(workspace: Workspace, tmp_path: Path) -> None:
    picture = Image.new("L", (200, 40), "white")
    ImageDraw.Draw(picture).text((10, 2), "one line", "black", font_size=28)
    picture.save(tmp_path / "line.png")
    read = [sys.executable, "-m", "pipeline", "predict", str(tmp_path / "line.png")]
    workspace.git("clone", "--quiet", str(workspace.root), str(tmp_path / "clone"))
    clone = Workspace(tmp_path / "clone", workspace.environment)
    assert clone.run(*read, fails=True).stderr == (
        "error: there is no model yet; make some with `make demo` or `dvc repro`, or get trained ones with `dvc pull`, "
        "after `dvc remote add --default NAME URL`: no remote is set\n"
    )
    remote = ["remote", "add", "--quiet", "--default", "shared", str(tmp_path / "remote")]
    for one in (workspace, clone):
        one.dvc(*remote)
    workspace.dvc("push", "--quiet")
    clone.dvc("pull", "--quiet")
    for folder in ("models", "metrics", "reports"):
        names = {path.name: path.read_bytes() for path in (workspace.root / folder).rglob("*") if path.is_file()}
        assert {path.name: path.read_bytes() for path in (clone.root / folder).rglob("*") if path.is_file()} == names
    result = clone.run(*read)
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr.startswith("MLflow has no best model; models/")
    by_name = clone.run(*read, "--model", result.stderr.split("; ")[1].split(" ")[0])
    assert by_name.stdout == result.stdout
    assert (clone.root / f"models/{LSTM}/seed_42.ckpt").is_file()
