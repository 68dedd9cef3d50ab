from pathlib import Path

import pytest

from pipeline.common import paths


def test_what_is_no_output_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = [paths.metrics("a"), paths.models("a"), paths.lines("b")]
    assert paths.describe_strays(expected) == ""  # nothing is there yet
    for path in ("metrics/a.json", "metrics/.b.json.1.partial", "models/a/seed_1.ckpt", "elsewhere/c"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert paths.describe_strays(expected) == ""
    (tmp_path / "metrics/b.json").touch()
    (tmp_path / "models/b").mkdir()
    assert paths.describe_strays(expected).startswith("ignored metrics/b.json, models/b: no outputs of params.yaml, ")
