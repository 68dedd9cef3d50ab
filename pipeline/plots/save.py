"""Save figures to files."""

from pathlib import Path

from matplotlib.figure import Figure

from pipeline.common.files import atomic_path


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG atomically. The same figure always gives the same bytes."""
    with atomic_path(path) as partial:
        figure.savefig(partial, metadata={"Software": None})  # no matplotlib version in the file
