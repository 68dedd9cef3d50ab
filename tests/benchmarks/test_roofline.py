import pytest
import torch
from torch import nn

from benchmarks.peak import Peak, mean_peak, measure_peak
from benchmarks.roofline import Operation, Work, compute_utilization, count_flops
from pipeline.kernels.conv_relu import conv_relu

PEAK = Peak(fp32=1e9, bf16=4e9, copy=1e6)


def test_a_products_arithmetic_and_bytes() -> None:
    a, b = torch.zeros(3, 5), torch.zeros(5, 7)
    with Work() as work:
        a @ b
    assert work.flops == 2 * 3 * 5 * 7
    # 15 + 35 + 21 numbers of 4 bytes at 1 MB/s take longer than 210 operations at 1 GFLOP/s.
    assert work.least_seconds(PEAK) == pytest.approx(71 * 4 / 1e6)


def test_arithmetic_is_the_limit_if_memory_is_fast() -> None:
    a = torch.zeros(4, 4, dtype=torch.bfloat16)
    with Work() as work:
        a @ a
    assert work.least_seconds(Peak(fp32=1.0, bf16=2.0, copy=1e12)) == pytest.approx(2 * 4**3 / 2)


def test_a_convolution_costs_three_times_as_much_with_its_gradients() -> None:
    conv, images = nn.Conv2d(3, 5, 3, padding=1), torch.zeros(2, 3, 8, 8, requires_grad=True)
    with Work() as forward:
        outputs = conv(images)
    with Work() as backward:
        outputs.sum().backward()
    assert forward.flops == 2 * 2 * 8 * 8 * 5 * 3 * 9
    assert backward.flops == 2 * forward.flops


@pytest.mark.parametrize("kernel", [(3, 3), (8, 3)])
def test_fused_convolutions_cost_as_much_as_others(kernel: tuple[int, int]) -> None:
    first, second = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 4, kernel)
    images, plain = torch.zeros(2, 3, 8, 8), nn.Sequential(first, nn.ReLU(), second, nn.ReLU())
    counted = []
    for compute in (lambda: conv_relu(images, [first, second]), lambda: plain(images)):
        with Work() as forward:
            outputs = compute()
        with Work() as backward:
            outputs.sum().backward()
        counted.append((forward.flops, backward.flops))
    assert counted[0] == counted[1]
    assert min(counted[0]) > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_lstm_is_counted_in_every_precision(dtype: torch.dtype) -> None:
    lstm, sequences = nn.LSTM(6, 10, batch_first=True).to(dtype), torch.zeros(4, 3, 6, dtype=dtype)
    with Work() as work:
        lstm(sequences)
    # Every step of every line: four gates of 10, from 6 features and 10 states.
    assert work.flops == 2 * 4 * 3 * 40 * (6 + 10)


def test_an_lstm_on_a_gpu_is_counted_as_on_a_cpu() -> None:
    sequences, lstm = torch.zeros(4, 3, 6), nn.LSTM(6, 10, batch_first=True)
    arguments = (sequences, list(lstm.parameters()))
    expected = 2 * 4 * 3 * 40 * (6 + 10)
    assert count_flops(torch.ops.aten._cudnn_rnn.default, arguments, {}, None) == expected
    assert count_flops(torch.ops.aten._cudnn_rnn_backward.default, arguments, {}, None) == 2 * expected


def test_views_cost_nothing() -> None:
    with Work() as work:
        torch.zeros(2, 3).detach().transpose(0, 1).view(3, 2)
    assert work.flops == 0
    with Work() as views:
        work_on = torch.zeros(0).view(0).detach()
    assert views.least_seconds(PEAK) == 0
    assert not work_on.numel()


def test_the_machine_has_a_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peak.SIDE", 64)
    monkeypatch.setattr("benchmarks.peak.COPIED", 2**20)
    peak = measure_peak(rounds=1)
    assert min(peak.fp32, peak.bf16, peak.copy) > 0


def test_the_mean_of_two_rates_is_harmonic() -> None:
    slow, fast = Peak(fp32=1.0, bf16=2.0, copy=4.0), Peak(fp32=3.0, bf16=6.0, copy=4.0)
    # A unit of work takes 1 and 1/3 seconds, which is 2/3 on average.
    assert mean_peak([slow, fast]) == Peak(fp32=pytest.approx(1.5), bf16=pytest.approx(3.0), copy=pytest.approx(4.0))


@pytest.mark.parametrize("in_bf16", [True, False])
@pytest.mark.parametrize("is_awaited", [True, False])
def test_utilization_compares_work_with_the_given_rates_and_times(in_bf16: bool, is_awaited: bool) -> None:
    work = Work()
    # A product bound by arithmetic, 2 s or 8 s at best, that took 16 s, and 5 s of moving bytes.
    work.operations += [Operation(8e9, 1e6, in_bf16, 16.0), Operation(0, 5e6, True, 9.0)]
    utilization = compute_utilization(work, 32.0, PEAK, in_bf16=in_bf16, is_awaited=is_awaited)
    least = 2.0 if in_bf16 else 8.0
    assert utilization.gigaflops == pytest.approx(8 / 32)
    assert utilization.machine == (4.0 if in_bf16 else 1.0)
    assert utilization.of_matrix_rate == pytest.approx(least / 32)
    assert utilization.of_matrix_rate_in_products == (pytest.approx(least / 16) if is_awaited else None)
    assert utilization.of_roofline == pytest.approx((least + 5) / 32)


def test_the_time_of_an_operation_is_its_own() -> None:
    with Work() as work:
        torch.zeros(300, 300) @ torch.zeros(300, 300)
    product = next(operation for operation in work.operations if operation.flops)
    assert 0 < product.seconds == work.seconds_in_products
