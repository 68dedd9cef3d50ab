"""Training, validation and test parts of transcribed lines, by whole groups."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.common.errors import InputError
from pipeline.common.splits import SPLITS
from pipeline.data.transcriptions.base import Transcription
from pipeline.data.transcriptions.folder import read_text
from pipeline.settings.own_lines import FolderParts, ListedParts, OwnLinesSettings, SplitParts

Parts = Mapping[str, list[Transcription]]


def split_transcriptions(lines: Sequence[Transcription], settings: OwnLinesSettings, root: Path) -> Parts:
    """The lines of each part. Lines that no list, folder or column names are in none.

    Raises:
        InputError: a part is empty, a group is in two parts, or a list names a page that does not exist.
    """
    parts = settings.parts
    if isinstance(parts, SplitParts):
        chosen: dict[str, str] = _draw_groups(lines, parts)
    elif isinstance(parts, ListedParts):
        chosen = _look_up_lists(lines, parts, root)
    elif isinstance(parts, FolderParts):
        chosen = {line.name: part for line in lines for part in SPLITS if _is_inside(line.page, getattr(parts, part))}
    else:
        chosen = {line.name: line.part for line in lines if line.part}
        if wrong := sorted(set(chosen.values()).difference(SPLITS)):
            raise InputError(f"own_lines: column {parts.column} holds {wrong[0]!r}; expected {', '.join(SPLITS)}")
    divided: dict[str, list[Transcription]] = {part: [] for part in SPLITS}
    for line in lines:
        if part := chosen.get(line.name):
            divided[part].append(line)
    _check(divided)
    return {**divided, "train": draw_lines(divided["train"], settings.train_lines)}


def draw_lines(lines: list[Transcription], count: int | None) -> list[Transcription]:
    """At most `count` of the lines, in their order. A smaller count takes some of those that a larger one takes."""
    order = np.random.default_rng(0).permutation(len(lines))
    return [lines[index] for index in sorted(order[:count])]


def _draw_groups(lines: Sequence[Transcription], settings: SplitParts) -> dict[str, str]:
    groups = sorted({line.group for line in lines})
    counts = {part: max(1, round(len(groups) * getattr(settings, part))) for part in ("validation", "test")}
    if sum(counts.values()) >= len(groups):
        raise InputError(
            f"own_lines: {len(groups)} group(s) of lines cannot be split into three parts; name the parts by lists or "
            "folders, or set `group` so that each writer or document is a group"
        )
    order = np.random.default_rng(settings.seed).permutation(len(groups))
    names = ["validation"] * counts["validation"] + ["test"] * counts["test"]
    names += ["train"] * (len(groups) - len(names))
    part_of_group = {groups[index]: part for index, part in zip(order, names, strict=True)}
    return {line.name: part_of_group[line.group] for line in lines}


def _look_up_lists(lines: Sequence[Transcription], settings: ListedParts, root: Path) -> dict[str, str]:
    by_page: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines:
        for page in {line.page, Path(line.page).name}:
            by_page[page].append(line.name)
    chosen: dict[str, str] = {}
    for part in SPLITS:
        path = root / getattr(settings, part)
        if not path.is_file():
            raise InputError(f"own_lines: parts.{part}: {path}: no such file")
        for page in filter(None, map(str.strip, read_text(path).splitlines())):
            names = by_page.get(page) or by_page.get(Path(page).with_suffix("").as_posix())
            if not names:
                raise InputError(f"{path}: names {page!r}, and there is no such page")
            chosen |= dict.fromkeys(names, part)
    return chosen


def _is_inside(page: str, folder: str) -> bool:
    return Path(page).is_relative_to(Path(folder))


def _check(parts: Parts) -> None:
    if empty := [part for part in SPLITS if not parts[part]]:
        raise InputError(f"own_lines: no line for {' and '.join(empty)}")
    groups = {part: {line.group for line in parts[part]} for part in SPLITS}
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if shared := sorted(groups[first] & groups[second]):
            raise InputError(f"own_lines: {shared[0]!r} is in {first} and in {second}; a group must be in one part")


def find_shared_texts(parts: Parts) -> list[str]:
    """The texts that stand in more than one part, sorted; a model may know them by heart."""
    texts = {part: {line.text for line in parts[part]} for part in SPLITS}
    shared = (texts["train"] & (texts["validation"] | texts["test"])) | (texts["validation"] & texts["test"])
    return sorted(shared)
