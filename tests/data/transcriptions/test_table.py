import io
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from pipeline.common.errors import InputError
from pipeline.data.transcriptions import table
from pipeline.data.transcriptions.table import read_table
from pipeline.settings.own_lines import ColumnParts, OwnLinesSettings, SplitParts

SPLIT = SplitParts(by="split", validation=0.2, test=0.2, seed=1)


def settings(**changes: object) -> OwnLinesSettings:
    return OwnLinesSettings.model_validate({"format": "table", "path": ".", "parts": SPLIT, **changes})


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("L", (120, 40), 200).save(stream, "PNG")
    return stream.getvalue()


def test_a_csv_with_paths(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "lines.csv").write_text("image,text,writer,split\na.png,NA,anna,train\na.png,007,ben,test\n")
    parts = ColumnParts(by="column", column="split")
    lines = list(read_table(settings(group="writer", parts=parts), tmp_path / "lines.csv"))
    assert [(line.name, line.group, line.text, line.part) for line in lines] == [
        ("row 1", "anna", "NA", "train"),
        ("row 2", "ben", "007", "test"),
    ]
    assert lines[0].draw(20).size == (60, 20)


@pytest.mark.parametrize("cell", [png(), {"bytes": png(), "path": None}])
def test_pictures_as_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: object) -> None:
    rows = pd.DataFrame({"picture": [cell], "label": ["text"]})
    monkeypatch.setattr(table, "_read_rows", lambda path: rows)
    (line,) = read_table(settings(image_column="picture", text_column="label"), tmp_path / "lines.parquet")
    assert (line.text, line.group, line.width(20), line.draw(20).size) == ("text", "row 1", 60, (60, 20))


def refusal(path: Path, **changes: object) -> str:
    with pytest.raises(InputError) as error:
        list(read_table(settings(**changes), path))
    return str(error.value)


def test_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    assert refusal(path).startswith(f"{path}: cannot be read as a table (")
    path.write_text("image,text\na.png,x\n")
    assert (
        refusal(path, text_column="label", group="writer") == f"{path}: has no column label, writer; it has image, text"
    )
    path.write_text("image,text\n,x\n")
    assert refusal(path) == f"{path}: row 1: expected a path or the bytes of a picture, got str"
