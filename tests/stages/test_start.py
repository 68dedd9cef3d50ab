import subprocess
import sys

import pytest

from tests.imports import ROOT


@pytest.mark.parametrize("stage", ["evaluate", "compare", "decode", "compare_decodings"])
def test_a_stage_that_trains_nothing_starts_without_what_training_needs(stage: str) -> None:
    program = f"import sys, stages.{stage}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = run.stdout.split()
    assert f"stages.{stage}" in loaded
    assert {"pytorch_lightning", "torchmetrics", "torch._dynamo", "scipy", "mlflow"}.isdisjoint(loaded)
