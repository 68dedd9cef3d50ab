from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from pipeline.plots.save import save_figure


def figure() -> Figure:
    made = Figure(figsize=(2, 1), dpi=50)
    made.subplots().plot([1, 3, 2])
    return made


def test_the_same_figure_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        save_figure(figure(), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as picture:
        assert (picture.size, "Software" in picture.info) == ((100, 50), False)


def test_what_was_there_stays_where_drawing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.png"
    path.write_bytes(b"before")

    def fail(_figure: Figure, target: Path, **_options: object) -> None:
        target.write_bytes(b"half")
        raise OSError("no space")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="no space"):
        save_figure(figure(), path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("one.png", b"before")]
