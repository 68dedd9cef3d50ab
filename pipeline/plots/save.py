"""Figures as files."""

from pathlib import Path

from matplotlib.figure import Figure

from pipeline.common.files import atomic_path


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, whole or not at all; the same figure is the same bytes."""
    with atomic_path(path) as partial:
        figure.savefig(partial, metadata={"Software": None})
