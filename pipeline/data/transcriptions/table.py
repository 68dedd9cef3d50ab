"""Lines as rows of a table, CSV or Parquet, as Hugging Face data sets have them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.common.errors import InputError
from pipeline.data.pictures.opening import read_size
from pipeline.data.transcriptions.base import Transcription
from pipeline.data.transcriptions.folder import draw_scaled
from pipeline.settings.own_lines import ColumnParts, OwnLinesSettings


def read_table(settings: OwnLinesSettings, path: Path) -> Iterator[Transcription]:
    """The lines of a table. Pictures are paths, from the table's folder, or the bytes of a picture file.

    Raises:
        InputError: the table cannot be read or lacks a column, or a picture is neither a path nor bytes.
    """
    rows = _read_rows(path)
    columns = [settings.image_column, settings.text_column]
    columns += [settings.group] if settings.group else []
    columns += [settings.parts.column] if isinstance(settings.parts, ColumnParts) else []
    if missing := [column for column in columns if column not in rows.columns]:
        raise InputError(f"{path}: has no column {', '.join(missing)}; it has {', '.join(map(str, rows.columns))}")
    for number, row in enumerate(rows.to_dict("records")):
        name = f"row {number + 1}"
        picture = _find_picture(row[settings.image_column], path.parent, f"{path}: {name}")
        text = row[settings.text_column]
        yield Transcription(
            name,
            page=name,
            group=str(row[settings.group]) if settings.group else name,
            text=text if isinstance(text, str) else "",
            size=read_size(picture, f"{path}: {name}"),
            draw=partial(draw_scaled, picture),
            part=str(row[settings.parts.column]) if isinstance(settings.parts, ColumnParts) else None,
        )


def _read_rows(path: Path) -> Any:
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, keep_default_na=False, dtype=str)
    except ImportError:
        raise InputError(f"{path}: Parquet needs pyarrow; pip install pyarrow, or save the table as CSV") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from None


def _find_picture(cell: object, folder: Path, name: str) -> Path | bytes:
    if isinstance(cell, dict):  # as the library datasets stores images
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return cell
    if isinstance(cell, str) and cell:
        return folder / cell
    raise InputError(f"{name}: expected a path or the bytes of a picture, got {type(cell).__name__}")
