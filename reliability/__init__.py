"""Fault injection: the real commands of the pipeline in small workspaces. See `python -m reliability --help`."""
