import torch

from pipeline.kernels.arithmetic import arithmetic_type


def test_autocast_decides_where_it_is_on_and_else_the_values() -> None:
    values = torch.zeros(1, dtype=torch.float64)
    assert arithmetic_type(values) == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert arithmetic_type(values) == torch.bfloat16
        with torch.autocast("cpu", enabled=False):
            assert arithmetic_type(values) == torch.float64
