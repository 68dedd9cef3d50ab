"""Describe the machine in reports and timings."""

import platform

import torch


def describe_machine() -> str:
    """Processor type, threads, GPU if there is one, and the versions of Python and torch."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{platform.machine()}, {torch.get_num_threads()} threads, {gpu}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )
