import ctypes
import os
import platform
import subprocess
import sys
import timeit
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from pipeline.runtime import hardware
from pipeline.runtime.hardware import choose_precision, is_bf16_fast_on_cpu, prepare_cpu, uses_gpu
from tests.imports import ROOT


def machine(
    monkeypatch: pytest.MonkeyPatch, *, gpu: str = "none", avx512: bool = False, amx: bool = False, pays: bool = True
) -> None:
    """Pretend a machine; `gpu` is "none", "old" (bf16 emulated) or "new"; `pays`: bf16 is the faster on the CPU."""

    def supported(including_emulation: bool = True) -> bool:
        return gpu == "new" or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu != "none")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    seconds = {torch.float32: 2.0, torch.bfloat16: 1.0 if pays else 3.0}
    monkeypatch.setattr(hardware, "time_product", lambda matrix: seconds[matrix.dtype])
    is_bf16_fast_on_cpu.cache_clear()


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


@pytest.mark.parametrize(("avx512", "amx"), [(True, False), (False, True)])
def test_bf16_that_is_slower_on_the_processor_is_not_taken(
    avx512: bool, amx: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, avx512=avx512, amx=amx, pays=False)
    assert choose_precision("auto", "cpu") == "32-true"
    machine(monkeypatch, gpu="new", avx512=avx512, amx=amx, pays=False)
    assert choose_precision("auto", "auto") == "bf16-mixed"  # the GPU's


def test_products_are_measured_once_and_not_where_bf16_is_not_native(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[torch.dtype] = []
    machine(monkeypatch, avx512=True)
    monkeypatch.setattr(hardware, "time_product", lambda matrix: measured.append(matrix.dtype) or 1.0)
    assert [choose_precision("auto", "cpu") for _ in range(3)] == ["bf16-mixed"] * 3
    assert measured == [torch.bfloat16, torch.float32]
    is_bf16_fast_on_cpu.cache_clear()
    machine(monkeypatch)
    monkeypatch.setattr(hardware, "time_product", lambda matrix: pytest.fail("measured for nothing"))
    assert choose_precision("auto", "cpu") == "32-true"


def test_the_fastest_product_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 23.0])
    repeat = partial(timeit.repeat, timer=lambda: next(clock))
    monkeypatch.setattr(timeit, "repeat", repeat)
    assert hardware.time_product(torch.ones(2, 2), rounds=3) == 2.0


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
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "")
    prepare_cpu()
    assert made == calls


@pytest.mark.parametrize(("user", "effective"), [(None, "8192"), ("77", "77")])
def test_the_users_own_setting_of_onednn_stays(
    user: str | None, effective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, user or "")
    if user is None:
        monkeypatch.delenv(name)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1"))
    prepare_cpu()
    assert os.environ[name] == effective
    monkeypatch.setenv(name, effective)  # so that it is undone


def test_numbers_too_small_for_a_normal_float_are_0_in_all_threads() -> None:
    code = (
        "import torch; from pipeline.runtime.hardware import prepare_cpu; torch.set_num_threads(2); prepare_cpu(); "
        "print((torch.full((1_000_000,), 1e-30) * 1e-10).count_nonzero().item())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
