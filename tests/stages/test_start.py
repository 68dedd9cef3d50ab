"""How a stage starts."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports import ROOT

PROBE = """
import gc
from pipeline.errors import exit_on_input_error

print(gc.isenabled())
exit_on_input_error(lambda: print(gc.isenabled(), gc.get_freeze_count() > 0))
"""


def said(project: Path, *arguments: str) -> list[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(("set_before", "found"), [({}, "1"), ({"THP_MEM_ALLOC_ENABLE": "0"}, "0")])
def test_a_stage_asks_for_large_pages_before_pytorch_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_before: dict[str, str], found: str
) -> None:
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    for name, value in set_before.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "stages").mkdir()
    shutil.copy(ROOT / "stages/__init__.py", tmp_path / "stages")
    probe = "import os, sys\nprint(os.environ.get('THP_MEM_ALLOC_ENABLE'), 'torch' in sys.modules)\n"
    (tmp_path / "stages/probe.py").write_text(probe)
    assert said(tmp_path, "-m", "stages.probe") == [f"{found} False"]


def test_no_garbage_is_looked_for_until_all_is_imported(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    shutil.copy(ROOT / "stages/__init__.py", tmp_path / "stages")
    (tmp_path / "stages/probe.py").write_text(PROBE)
    assert said(tmp_path, "-m", "stages.probe") == ["False", "True True"]
    assert said(tmp_path, "-c", "import stages.probe") == ["True", "True False"]


def test_stages_that_train_nothing_start_without_what_training_needs() -> None:
    stages = {f"stages.{name}" for name in ("evaluate", "compare", "decode", "compare_decodings")}
    loaded = {*said(ROOT, "-c", f"import sys, {', '.join(stages)}; print(*sys.modules, sep='\\n')")}
    assert stages <= loaded
    assert {"pytorch_lightning", "torchmetrics", "torch._dynamo", "scipy", "mlflow"}.isdisjoint(loaded)
