"""Pages that tests draw themselves, with lines that are known to the pixel."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

Baseline = Sequence[tuple[int, int]]
ABOVE, BELOW = 20, 10
"""Pixels of a line above and below its baseline."""


def polygon_of(baseline: Baseline, above: int = ABOVE, below: int = BELOW) -> list[tuple[int, int]]:
    """The outline of a line."""
    return [(x, y - above) for x, y in baseline] + [(x, y + below) for x, y in reversed(baseline)]


def draw_page(path: Path, baselines: Sequence[Baseline], paper: int = 230, ink: int = 20) -> None:
    """A page with a bar of ink from 10 pixels above each baseline down to it, from its start to its end."""
    page = Image.new("L", (400, 300), paper)
    for baseline in baselines:
        ImageDraw.Draw(page).polygon(polygon_of(baseline, above=10, below=0), fill=ink)
    page.save(path)


def points(pairs: Sequence[tuple[float, float]], separator: str = ",") -> str:
    """Points as an attribute."""
    return " ".join(f"{x}{separator}{y}" for x, y in pairs)


def alto(image: str, lines: Sequence[tuple[str, Baseline]], version: int = 4) -> str:
    """An ALTO file as eScriptorium and kraken write it."""
    written = "".join(
        f'<TextLine ID="l{number}" BASELINE="{points(baseline, " ")}" HPOS="0" VPOS="0" WIDTH="9" HEIGHT="9">'
        f'<Shape><Polygon POINTS="{points(polygon_of(baseline), " ")}"/></Shape><String CONTENT="{text}"/></TextLine>'
        for number, (text, baseline) in enumerate(lines)
    )
    return (
        f'<?xml version="1.0"?><alto xmlns="http://www.loc.gov/standards/alto/ns-v{version}#"><Description>'
        f"<MeasurementUnit>pixel</MeasurementUnit><sourceImageInformation><fileName>{image}</fileName>"
        f'</sourceImageInformation></Description><Layout><Page WIDTH="400" HEIGHT="300"><PrintSpace><TextBlock>'
        f"{written}</TextBlock></PrintSpace></Page></Layout></alto>"
    )


def page_xml(image: str, lines: Sequence[tuple[str, Baseline]], year: int = 2013) -> str:
    """A PAGE file as Transkribus writes it."""
    written = "".join(
        f'<TextLine id="l{number}" custom="readingOrder {{index:{number};}}"><Coords points="'
        f'{points(polygon_of(baseline))}"/><Baseline points="{points(baseline)}"/><TextEquiv><Unicode>{text}'
        "</Unicode></TextEquiv></TextLine>"
        for number, (text, baseline) in enumerate(lines)
    )
    return (
        f'<?xml version="1.0"?><PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/{year}-07-15">'
        f'<Metadata><TranskribusMetadata docId="1"/></Metadata><Page imageFilename="{image}" imageWidth="400" '
        f'imageHeight="300"><TextRegion id="r">{written}</TextRegion></Page></PcGts>'
    )
