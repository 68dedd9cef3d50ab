"""How a stage starts."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports import ROOT

PROBE = """
import gc
import os
import sys

print(gc.isenabled(), os.environ.get("THP_MEM_ALLOC_ENABLE"), "torch" in sys.modules)


def main():
    print(gc.isenabled(), gc.get_freeze_count() > 0)
"""


def said(project: Path, *arguments: str) -> list[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(("set_before", "found"), [({}, "1"), ({"THP_MEM_ALLOC_ENABLE": "0"}, "0")])
def test_a_stage_is_imported_without_garbage_collection_and_with_large_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_before: dict[str, str], found: str
) -> None:
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    for name, value in set_before.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "stages").mkdir()
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / "stages" / name, tmp_path / "stages")
    (tmp_path / "stages/probe.py").write_text(PROBE)
    assert said(tmp_path, "-m", "stages", "probe") == [f"False {found} False", "True True"]


@pytest.mark.parametrize("arguments", [["trian"], []])
def test_an_unknown_stage_is_refused_with_a_list_of_the_stages(arguments: list[str]) -> None:
    result = subprocess.run([sys.executable, "-m", "stages", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert re.fullmatch("error: python -m stages .*: no such stage; use one of check, .*, train\n", result.stderr)


def test_stages_that_do_not_train_do_not_import_what_only_training_needs() -> None:
    stages = {f"stages.{name}" for name in ("evaluate", "compare", "decode", "compare_decodings")}
    loaded = {*said(ROOT, "-c", f"import sys, {', '.join(stages)}; print(*sys.modules, sep='\\n')")}
    assert stages <= loaded
    assert {"pytorch_lightning", "torchmetrics", "torch._dynamo", "scipy", "mlflow"}.isdisjoint(loaded)
