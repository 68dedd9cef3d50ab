"""The packages of the extra `onnx`, which few users need."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.common.errors import InputError

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
ADVICE = "pip install 'emnist-lines[onnx]'"


def require_packages() -> None:
    """Refuse to work without the extra.

    Raises:
        InputError: a package is not installed.
    """
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise InputError(f"export needs the package {missing[0]}, which is not installed; {ADVICE}")


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what the packages tell their own developers."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(disabled)
