"""Pages of transcribed lines as XML: ALTO 2 to 4 and PAGE XML, as eScriptorium, kraken and Transkribus write them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from pipeline.common.errors import InputError

Point = tuple[float, float]
Points = Sequence[Point]
MAX_NUMBER = 1_000_000.0
"""Pixels. A larger coordinate or size is damaged."""


@dataclass(frozen=True)
class LineShape:
    """One line of a page, in pixels of its image. Baseline and polygon are empty where the file has none."""

    name: str
    text: str
    baseline: Points
    polygon: Points
    """The outline of the line; the corners of its box where the file has only that."""


@dataclass(frozen=True)
class PageLayout:
    """The lines of a page in the order of the file."""

    path: Path
    image_name: str
    lines: Sequence[LineShape]
    size: tuple[float, float] | None
    """Width and height for which the points are written, or None."""


def read_layout(path: Path) -> PageLayout:
    """Read a page.

    Raises:
        InputError: not XML, or neither ALTO nor PAGE.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise InputError(f"{path}: not valid XML ({error})") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
    try:
        if root.tag == "alto":
            return _read_alto(path, root)
        if root.tag == "PcGts":
            return _read_page(path, root)
    except InputError:
        raise
    except (ValueError, KeyError) as error:
        raise InputError(f"{path}: damaged coordinates ({error})") from None
    raise InputError(f"{path}: the root element is {root.tag!r}; expected ALTO (`alto`) or PAGE XML (`PcGts`)")


def _read_alto(path: Path, root: ElementTree.Element) -> PageLayout:
    unit = (root.findtext(".//MeasurementUnit") or "pixel").strip()
    if unit != "pixel":
        raise InputError(f"{path}: MeasurementUnit is {unit!r}; export the page with pixel")
    page = root.find(".//Page")
    size = None if page is None else _size(page.get("WIDTH"), page.get("HEIGHT"))
    lines = []
    for number, element in enumerate(root.iter("TextLine")):
        words = [part.get("CONTENT", "") for part in element.iter("String")]
        polygon = element.find("./Shape/Polygon")
        outline = parse_points(polygon.get("POINTS", "")) if polygon is not None else _box(element)
        baseline = parse_points(element.get("BASELINE", ""))
        name = element.get("ID") or f"line {number + 1}"
        lines.append(LineShape(name, " ".join(words), baseline, outline))
    return PageLayout(path, (root.findtext(".//fileName") or "").strip(), lines, size)


def _box(element: ElementTree.Element) -> Points:
    if not {"HPOS", "VPOS", "WIDTH", "HEIGHT"} <= set(element.keys()):
        return ()
    left, top, width, height = (_number(element.attrib[name]) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    return (left, top), (left + width, top), (left + width, top + height), (left, top + height)


def _read_page(path: Path, root: ElementTree.Element) -> PageLayout:
    page = root.find("Page")
    if page is None:
        raise InputError(f"{path}: has no Page element")
    size = _size(page.get("imageWidth"), page.get("imageHeight"))
    lines = []
    for number, element in enumerate(page.iter("TextLine")):
        coordinates, baseline = element.find("Coords"), element.find("Baseline")
        lines.append(
            LineShape(
                element.get("id") or f"line {number + 1}",
                _page_text(element),
                () if baseline is None else _page_points(baseline),
                () if coordinates is None else _page_points(coordinates),
            )
        )
    return PageLayout(path, page.get("imageFilename", ""), lines, size)


def _page_points(element: ElementTree.Element) -> Points:
    """Points as an attribute (2013 and later), or as `Point` elements (2010)."""
    if points := element.get("points"):
        return parse_points(points)
    return tuple((_number(point.attrib["x"]), _number(point.attrib["y"])) for point in element.iter("Point"))


def _page_text(line: ElementTree.Element) -> str:
    """The line's text of the lowest index, or the texts of its words where it has none of its own."""
    if (own := _first_version(line)) is not None:
        return own
    return " ".join(filter(None, (_first_version(word) for word in line.iter("Word"))))


def _first_version(element: ElementTree.Element) -> str | None:
    versions = element.findall("TextEquiv")
    if not versions:
        return None
    first = min(versions, key=lambda version: int(version.get("index") or 0))
    return first.findtext("Unicode") or ""


def parse_points(text: str) -> Points:
    """Points such as `1,2 3,4` or `1 2 3 4`; without those that are repeated in a row.

    Raises:
        ValueError: not numbers, too large, or an odd number of them.
    """
    numbers = [_number(number) for number in text.replace(",", " ").split()]
    if len(numbers) % 2:
        raise ValueError(f"{len(numbers)} numbers are not points")
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    return tuple(_without_repeats(points))


def _size(width: str | None, height: str | None) -> tuple[float, float] | None:
    """The size of a page; None where the file does not say it, or says 0."""
    size = _number(width or "0"), _number(height or "0")
    if not all(size):
        return None
    if min(size) < 1:
        raise ValueError(f"{size[0]:g} x {size[1]:g} is no size of a page")
    return size


def _number(text: str) -> float:
    number = float(text)
    if not -MAX_NUMBER <= number <= MAX_NUMBER:
        raise ValueError(f"{text} is no place on a page")
    return number


def _without_repeats(points: Points) -> Iterator[Point]:
    previous = None
    for point in points:
        if point != previous:
            yield point
        previous = point
