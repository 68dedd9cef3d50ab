"""Faults injected into the real pipeline through its real commands; `python -m reliability --help`."""
