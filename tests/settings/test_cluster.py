"""The room that a stage takes on a cluster."""

from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.settings.cluster import read_cluster_settings


@pytest.mark.parametrize(("gpus", "valid"), [(0, True), (0.25, True), (2, True), (1.5, False), (-1, False)])
def test_above_one_only_whole_gpus(gpus: float, valid: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(f"cluster: {{gpus: {gpus}}}")
    if valid:
        assert read_cluster_settings().gpus == gpus
    else:
        with pytest.raises(InputError, match=r"cluster.*gpus"):
            read_cluster_settings()


def test_a_project_without_the_section_has_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_cluster_settings().cpus == 1
    (tmp_path / "params.yaml").write_text("training: {}")
    assert read_cluster_settings().cpus == 1
