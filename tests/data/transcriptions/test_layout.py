from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.data.transcriptions.layout import PageLayout, parse_points, read_layout
from tests.data.transcriptions.drawn import alto, page_xml, polygon_of

STRAIGHT, BENT = [(20, 50), (300, 50)], [(20, 120), (160, 130), (300, 110)]


def read(tmp_path: Path, content: str) -> PageLayout:
    path = tmp_path / "page.xml"
    path.write_text(content, encoding="utf-8")
    return read_layout(path)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_alto(tmp_path: Path, version: int) -> None:
    layout = read(tmp_path, alto("scan.jpg", [("Été", STRAIGHT), ("deux mots", BENT)], version))
    assert (layout.image_name, layout.size) == ("scan.jpg", (400, 300))
    assert [line.text for line in layout.lines] == ["Été", "deux mots"]
    assert [list(line.baseline) for line in layout.lines] == [STRAIGHT, BENT]
    assert list(layout.lines[1].polygon) == polygon_of(BENT)


@pytest.mark.parametrize("year", [2013, 2019])
def test_page_xml(tmp_path: Path, year: int) -> None:
    layout = read(tmp_path, page_xml("scan.png", [("Été", STRAIGHT), ("deux", BENT)], year))
    assert (layout.image_name, layout.size) == ("scan.png", (400, 300))
    assert [line.text for line in layout.lines] == ["Été", "deux"]
    assert [list(line.baseline) for line in layout.lines] == [STRAIGHT, BENT]
    assert list(layout.lines[0].polygon) == polygon_of(STRAIGHT)


def test_an_alto_line_of_words_with_only_a_box(tmp_path: Path) -> None:
    content = (
        '<alto><Layout><Page><TextLine HPOS="5" VPOS="7" WIDTH="10" HEIGHT="3"><String CONTENT="two"/><SP/>'
        '<String CONTENT="words"/></TextLine></Page></Layout></alto>'
    )
    (line,) = read(tmp_path, content).lines
    assert line.text == "two words"
    assert list(line.polygon) == [(5, 7), (15, 7), (15, 10), (5, 10)]
    assert line.baseline == ()
    assert line.name == "line 1"


def test_a_page_line_whose_text_is_in_its_words(tmp_path: Path) -> None:
    word = "<Word><TextEquiv><Unicode>{}</Unicode></TextEquiv></Word>"
    content = f"<PcGts><Page><TextLine>{word.format('two')}{word.format('words')}</TextLine></Page></PcGts>"
    assert read(tmp_path, content).lines[0].text == "two words"


def test_of_several_versions_the_one_of_the_lowest_index(tmp_path: Path) -> None:
    versions = "".join(
        f'<TextEquiv index="{i}"><Unicode>{text}</Unicode></TextEquiv>' for i, text in ((1, "b"), (0, "a"))
    )
    word = "<Word><TextEquiv><Unicode>w</Unicode></TextEquiv></Word>"
    content = f"<PcGts><Page><TextLine>{word}{versions}</TextLine></Page></PcGts>"
    assert read(tmp_path, content).lines[0].text == "a"


def test_points_as_elements(tmp_path: Path) -> None:
    corners = "".join(f'<Point x="{x}" y="{y}"/>' for x, y in ((0, 0), (9, 0), (9, 5)))
    content = f"<PcGts><Page><TextLine><Coords>{corners}</Coords></TextLine></Page></PcGts>"
    assert read(tmp_path, content).lines[0].polygon == ((0, 0), (9, 0), (9, 5))


@pytest.mark.parametrize("text", ["1,2 3,4", "1 2 3 4", "1,2  3,4 ", "1.0,2 1,2 3,4"])
def test_points(text: str) -> None:
    assert parse_points(text) == ((1, 2), (3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not valid XML (no element found"),
        ("<html/>", "the root element is 'html'; expected ALTO (`alto`) or PAGE XML (`PcGts`)"),
        ("<PcGts/>", "has no Page element"),
        ('<alto><TextLine BASELINE="1 2 3"/></alto>', "damaged coordinates (3 numbers are not points)"),
        ('<alto><TextLine BASELINE="1 x"/></alto>', "damaged coordinates (could not convert"),
        ('<alto><TextLine BASELINE="1 nan"/></alto>', "damaged coordinates (nan is no place on a page)"),
        ('<alto><TextLine BASELINE="1 -1e7"/></alto>', "damaged coordinates (-1e7 is no place on a page)"),
        ('<alto><Page WIDTH="0.5" HEIGHT="9"/></alto>', "damaged coordinates (0.5 x 9 is no size of a page)"),
        ('<PcGts><Page imageWidth="inf" imageHeight="9"/></PcGts>', "damaged coordinates (inf is no place on a page)"),
        (
            "<alto><MeasurementUnit>mm10</MeasurementUnit></alto>",
            "MeasurementUnit is 'mm10'; export the page with pixel",
        ),
    ],
)
def test_what_is_no_page_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path / 'page.xml'}: {message}")


def test_entities_are_not_expanded_without_end(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE alto [<!ENTITY l0 "lol">{entities}]><alto><fileName>&l9;</fileName></alto>'
    with pytest.raises(InputError, match="not valid XML"):
        read(tmp_path, bomb)
