import platform

import pytest
import torch

from pipeline.runtime.machine import describe_machine


def test_a_machine_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    assert describe_machine() == f"{platform.machine()}, 3 threads, no GPU, {versions}"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    assert describe_machine() == f"{platform.machine()}, 3 threads, a GPU, {versions}"
