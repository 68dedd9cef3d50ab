"""The machine that a report was made on."""

import platform

import torch


def describe_machine() -> str:
    """The processor's kind, its threads, the GPU if there is one, and the versions that decide results."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{platform.machine()}, {torch.get_num_threads()} threads, {gpu}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )
