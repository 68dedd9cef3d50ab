"""How a stage starts."""

import shutil
import subprocess
import sys
from pathlib import Path

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


def test_no_garbage_is_looked_for_until_all_is_imported(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    shutil.copy(ROOT / "stages/__init__.py", tmp_path / "stages")
    (tmp_path / "stages/probe.py").write_text(PROBE)
    assert said(tmp_path, "-m", "stages.probe") == ["False", "True True"]
    assert said(tmp_path, "-c", "import stages.probe") == ["True", "True False"]
