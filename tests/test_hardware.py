import ctypes
import platform
import sys
from types import SimpleNamespace

import pytest
import torch

from pipeline.hardware import choose_precision, keep_freed_memory, uses_gpu


def machine(monkeypatch: pytest.MonkeyPatch, *, gpu: str = "none", avx512: bool = False, amx: bool = False) -> None:
    """Pretend a machine; `gpu` is "none", "old" (bf16 emulated) or "new"."""

    def supported(including_emulation: bool = True) -> bool:
        return gpu == "new" or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu != "none")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)


@pytest.mark.parametrize(
    ("accelerator", "gpu", "avx512", "amx", "chosen"),
    [
        ("cpu", "none", False, False, "32-true"),
        ("cpu", "none", True, False, "bf16-mixed"),
        ("cpu", "none", False, True, "bf16-mixed"),
        ("cpu", "new", False, False, "32-true"),
        ("auto", "none", False, False, "32-true"),
        ("auto", "none", True, True, "bf16-mixed"),
        ("auto", "old", True, True, "32-true"),
        ("auto", "new", False, False, "bf16-mixed"),
        ("gpu", "old", True, True, "32-true"),
        ("gpu", "new", False, False, "bf16-mixed"),
        ("cuda", "new", False, False, "bf16-mixed"),
        ("cuda", "none", True, True, "32-true"),
        ("mps", "none", True, True, "32-true"),
        ("tpu", "none", True, True, "32-true"),
    ],
)
def test_auto_precision(
    accelerator: str, gpu: str, avx512: bool, amx: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, gpu=gpu, avx512=avx512, amx=amx)
    assert choose_precision("auto", accelerator) == chosen


@pytest.mark.parametrize("precision", ["32-true", "16-mixed", "bf16-mixed", "bf16-true"])
@pytest.mark.parametrize("gpu", ["none", "old", "new"])
def test_a_named_precision_stays(precision: str, gpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpu=gpu, avx512=True)
    assert choose_precision(precision, "auto") == precision


@pytest.mark.parametrize(
    ("accelerator", "gpu", "used"),
    [
        ("auto", "none", False),
        ("auto", "new", True),
        ("cpu", "new", False),
        ("gpu", "none", True),
        ("cuda", "new", True),
        ("mps", "none", False),
    ],
)
def test_whether_a_gpu_is_used(accelerator: str, gpu: str, used: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpu=gpu)
    assert uses_gpu(accelerator) is used


@pytest.mark.parametrize(
    ("system", "library", "calls"),
    [
        ("linux", "glibc", [(-3, 2**31 - 1), (-1, 2**31 - 1)]),
        ("linux", "musl", []),
        ("darwin", "glibc", []),
        ("win32", "", []),
    ],
)
def test_memory_is_kept_with_glibc_alone(
    system: str, library: str, calls: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, int]] = []
    libc = SimpleNamespace(mallopt=lambda parameter, value: made.append((parameter, value)))
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "libc_ver", lambda: (library, "2.36"))
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: libc)
    keep_freed_memory()
    assert made == calls
