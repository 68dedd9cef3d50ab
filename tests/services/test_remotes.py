"""Results travel through DVC remotes on real servers, and nothing is trained again."""

import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.end_to_end.workspace import Workspace, stages_run
from tests.services.remotes import Remote

pytestmark = pytest.mark.services
UP_TO_DATE = "Data and pipelines are up to date."


@pytest.fixture(params=["s3", "ssh"])
def remote(request: pytest.FixtureRequest) -> Remote:
    server: Remote = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def project(trained: Workspace, tmp_path: Path) -> Workspace:
    return Workspace(shutil.copytree(trained.root, tmp_path / "project"), trained.environment)


def clone(project: Workspace, remote: Remote, folder: Path) -> Workspace:
    project.git("clone", "--quiet", str(project.root), str(folder))
    cloned = Workspace(folder, project.environment)
    remote.add_options(cloned.dvc)
    return cloned


def test_a_fresh_clone_has_everything_and_trains_nothing(project: Workspace, remote: Remote, tmp_path: Path) -> None:
    remote.add_to(project.dvc, "all")
    project.save("A remote")
    assert "only-for-tests" not in project.git("grep", "--all-match", "-e", "url", "HEAD", "--", ".dvc")
    project.dvc("push")
    assert remote.files("all")
    other = clone(project, remote, tmp_path / "clone")
    other.dvc("pull")
    output = other.dvc("repro")
    assert UP_TO_DATE in output
    assert stages_run(output) == []
    picture = tmp_path / "line.png"
    image = Image.new("L", (200, 40), "white")
    ImageDraw.Draw(image).text((10, 2), "one line", "black", font_size=28)
    image.save(picture)
    model = "models/cnn_ctc_variable/seed_42.ckpt"
    assert other.run(sys.executable, "-m", "pipeline", "predict", "--model", model, str(picture)).stdout
    assert UP_TO_DATE in other.dvc("repro")


def test_experiments_travel_through_a_bare_repository(project: Workspace, remote: Remote, tmp_path: Path) -> None:
    remote.add_to(project.dvc, "experiments")
    project.save("A remote")
    project.dvc("exp", "run", "--quiet", "--name", "other", "-S", "experiments.simple_ce_aligned.model.conv_dim=5")
    project.git("reset", "--quiet", "--hard")
    bare = tmp_path / "bare.git"
    project.git("clone", "--quiet", "--bare", str(project.root), str(bare))
    project.git("remote", "add", "origin", str(bare))
    project.dvc("exp", "push", "origin", "other")
    shutil.rmtree(project.root / ".dvc/cache")
    other = clone(Workspace(bare, project.environment), remote, tmp_path / "clone")
    other.dvc("exp", "pull", "origin", "other")
    other.dvc("exp", "apply", "other")
    assert "conv_dim: 5" in (other.root / "params.yaml").read_text()
    output = other.dvc("repro")
    assert UP_TO_DATE in output
    assert stages_run(output) == []
