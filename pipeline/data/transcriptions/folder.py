"""Lines as picture files with their text in a file beside them, as kraken, Calamari and tesstrain have them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from pipeline.common.errors import InputError
from pipeline.data.pictures.opening import EXTENSIONS, open_grey, read_size
from pipeline.data.transcriptions.base import Transcription, scaled_width
from pipeline.data.transcriptions.groups import find_group
from pipeline.settings.own_lines import OwnLinesSettings

SUFFIX = ".gt.txt"


def read_folder(settings: OwnLinesSettings, root: Path) -> Iterator[Transcription]:
    """The lines below `root`, in the order of their names. A line's group is its folder.

    Raises:
        InputError: a text has no picture, or there is no text.
    """
    texts = sorted(root.rglob(f"*{SUFFIX}"))
    if not texts:
        raise InputError(f"{root}: no line; expected pictures such as line.png with their texts in line{SUFFIX}")
    for path in texts:
        name = path.relative_to(root).as_posix().removesuffix(SUFFIX)
        picture = _find_picture(path)
        folder = path.parent.relative_to(root).as_posix()
        yield Transcription(
            name,
            page=name,
            group=find_group(settings.group, name, folder),
            text=read_text(path),
            size=read_size(picture, str(picture)),
            draw=partial(draw_scaled, picture),
        )


def _find_picture(path: Path) -> Path:
    stem = path.name.removesuffix(SUFFIX)
    for extension in EXTENSIONS:
        for candidate in (path.with_name(stem + extension), path.with_name(stem + extension.upper())):
            if candidate.is_file():
                return candidate
    raise InputError(f"{path}: has no picture; expected {stem}.png beside it")


def read_text(path: Path) -> str:
    """The text of a file; `InputError` if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error}); save it as UTF-8") from None


def draw_scaled(picture: Path | bytes, height: int) -> Image.Image:
    """A picture, scaled to a height."""
    grey = open_grey(picture, str(picture) if isinstance(picture, Path) else "a picture in the table")
    resampling = Image.Resampling.BOX if grey.height > height else Image.Resampling.BICUBIC
    return grey.resize((scaled_width(grey.size, height), height), resampling)
