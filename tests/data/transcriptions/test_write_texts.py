from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.data.transcriptions.layout import read_layout
from pipeline.data.transcriptions.write_texts import PredictedText, PredictedWord, write_texts
from tests.data.transcriptions.drawn import alto, page_xml

LINES = [("old one", [(20, 50), (300, 50)]), ("old two", [(20, 120), (300, 130)])]


def predicted(text: str, confidence: float | None = 0.5) -> PredictedText:
    """A text whose words are ten pixels wide, one every hundred pixels."""
    words = [
        PredictedWord(word, 0.25, (100 * number, 1, 100 * number + 10, 8)) for number, word in enumerate(text.split())
    ]
    return PredictedText(text, confidence, words)


def write(folder: Path, content: str | bytes, *texts: str | None) -> str:
    path = folder / "page.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    written = write_texts(path, [None if text is None else predicted(text) for text in texts])
    path.write_bytes(written)
    return written.decode("utf-8", "replace")


ALTO = """<?xml version='1.0' encoding='UTF-8'?>
<!-- before --><?pi data?><a:alto xmlns:a="http://www.loc.gov/standards/alto/ns-v4#" xmlns:o="urn:other" o:x="1&#10;2">
  <!-- scanned -->
  <a:TextLine ID="l" o:note="&quot;&amp;">
    <a:Shape><a:Polygon POINTS="0 0 9 0 9 9"/></a:Shape>
    {texts}
  </a:TextLine>
  <a:TextLine ID="m"/>
</a:alto>"""


def test_alto_gets_a_string_for_each_word_and_nothing_else_changes(tmp_path: Path) -> None:
    old = '<a:String CONTENT="old"/><a:SP/><a:String CONTENT="er"/><a:HYP CONTENT="-"/>'
    new = (
        '<a:String CONTENT="a&lt;b" HPOS="0" VPOS="1" WIDTH="10" HEIGHT="7" WC="0.2500"/>\n    <a:SP/>\n    '
        '<a:String CONTENT="é" HPOS="100" VPOS="1" WIDTH="10" HEIGHT="7" WC="0.2500"/>'
    )
    assert write(tmp_path, ALTO.format(texts=old), "a<b é", None) == ALTO.format(texts=new)
    assert [line.text for line in read_layout(tmp_path / "page.xml").lines] == ["a<b é", ""]


PAGE = """<?xml version='1.0' encoding='UTF-8'?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
  <Page>
    <TextRegion>
      <TextLine id="l" custom="readingOrder {{index:0;}}">
        <Coords points="0,0 9,0 9,9"/>
        <Baseline points="0,5 9,5"/>
        {texts}
        <TextStyle/>
      </TextLine>
    </TextRegion>
  </Page>
</PcGts>"""


@pytest.mark.parametrize(
    "old",
    [
        '<Word id="w"><TextEquiv><Unicode>old</Unicode></TextEquiv></Word>\n        <TextEquiv index="1"/>',
        '<TextEquiv index="1"><Unicode>a</Unicode></TextEquiv><TextEquiv><PlainText>b</PlainText></TextEquiv>',
    ],
)
def test_page_gets_one_text_in_the_place_of_words_and_versions(tmp_path: Path, old: str) -> None:
    new = '<TextEquiv conf="0.5000"><Unicode>a  b&amp;</Unicode></TextEquiv>'
    assert write(tmp_path, PAGE.format(texts=old), "a  b&") == PAGE.format(texts=new)


def test_a_line_without_text_gets_one_where_the_schema_wants_it(tmp_path: Path) -> None:
    bare = PAGE.format(texts="").replace("        \n", "")
    new = '<TextEquiv conf="0.5000"><Unicode>a</Unicode></TextEquiv>'
    assert write(tmp_path, bare, "a") == PAGE.format(texts=new)


def test_a_region_with_a_text_has_that_of_its_lines(tmp_path: Path) -> None:
    equivalent = "<TextEquiv{}><Unicode>{}</Unicode></TextEquiv>"
    content = "<PcGts><Page><TextRegion><TextLine/><TextLine>{}</TextLine>{}</TextRegion></Page></PcGts>"
    old = content.format(equivalent.format("", "kept"), equivalent.format("", "old"))
    new = content.format(equivalent.format("", "kept"), equivalent.format("", "new\nkept"))
    read = equivalent.format(' conf="0.5000"', "new")
    assert write(tmp_path, old, "new", None).endswith(new.replace("<TextLine/>", f"<TextLine>{read}</TextLine>"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<alto><TextLine/></alto>", '<alto><TextLine><String CONTENT=""/></TextLine></alto>'),
        (
            "<PcGts><Page><TextLine/></Page></PcGts>",
            "<PcGts><Page><TextLine><TextEquiv><Unicode></Unicode></TextEquiv></TextLine></Page></PcGts>",
        ),
    ],
)
def test_an_empty_text_has_no_confidence(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "page.xml"
    path.write_text(content)
    assert write_texts(path, [PredictedText("", None, [])]).decode().endswith(expected)


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "utf-8-sig"])
def test_the_encoding_stays(tmp_path: Path, encoding: str) -> None:
    name = encoding.removesuffix("-sig")
    content = f'<?xml version="1.0" encoding="{name}"?><alto><TextLine ID="é"/></alto>'
    write(tmp_path, content.encode(encoding), "é → 中")
    path = tmp_path / "page.xml"
    assert name in path.read_bytes().decode("utf-16" if name == "utf-16" else "latin-1").lower()
    (line,) = read_layout(path).lines
    assert (line.name, line.text) == ("é", "é → 中")


def test_characters_that_xml_cannot_hold_are_replaced(tmp_path: Path) -> None:
    for content in ("<alto><TextLine/></alto>", "<PcGts><Page><TextLine/></Page></PcGts>"):
        write(tmp_path, content, "a\x00b\x01\ufffe\ud800c")
        assert read_layout(tmp_path / "page.xml").lines[0].text == "a\ufffdb" + 3 * "\ufffd" + "c"


def test_nothing_outside_of_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    entity = f'<!DOCTYPE alto [<!ENTITY e SYSTEM "{(tmp_path / "secret").as_uri()}"><!ENTITY i "in">]>'
    written = write(tmp_path, f"{entity}<alto><a>&e;&i;</a><TextLine/></alto>", "new")
    assert "<a>&e;&i;</a>" in written
    assert "&gt;" not in written


def test_what_is_not_xml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"page\.xml: not valid XML"):
        write(tmp_path, "<alto>", "a")


def without_texts(content: bytes) -> tuple[object, ...]:
    """A page without texts, and without white space around its elements."""
    builder = ElementTree.TreeBuilder(insert_comments=True, insert_pis=True)
    return _skeleton(ElementTree.fromstring(content, ElementTree.XMLParser(target=builder)))


def _skeleton(element: ElementTree.Element) -> tuple[object, ...]:
    kept = [child for child in element if str(child.tag).rpartition("}")[2] not in ("String", "SP", "TextEquiv")]
    text = (element.text or "") if element.tag == "{urn:u}note" else (element.text or "").strip()
    return element.tag, element.attrib, text, [_skeleton(child) for child in kept]


NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
VALUES = st.text(st.one_of(CHARACTERS, st.sampled_from("\n\t\r\"'<&>")), max_size=9)
TEXTS = st.text(CHARACTERS, max_size=12)


def quoted(value: str) -> str:
    return "".join(f"&#{ord(c)};" if c in "\n\t\r\"'<&>" else c for c in value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    texts=st.tuples(TEXTS, TEXTS),
    form=st.sampled_from([alto, page_xml]),
    attributes=st.dictionaries(NAMES, VALUES, max_size=3),
    comment=st.text(st.characters(codec="ascii", categories=["L"]), max_size=5),
    content=VALUES,
)
def test_all_but_the_texts_stays_and_each_text_is_at_its_line(
    tmp_path: Path,
    texts: tuple[str, str],
    form: object,
    attributes: dict[str, str],
    comment: str,
    content: str,
) -> None:
    written = "".join(f' u:{name}="{quoted(value)}"' for name, value in attributes.items())
    note = f'<!--{comment}--><u:note xmlns:u="urn:u"{written}>{quoted(content)}</u:note><?{comment or "p"} x?>'
    page = form("page.png", LINES).replace("<TextLine", f"{note}<TextLine").replace("</TextLine>", f"{note}</TextLine>")
    write(tmp_path, page, *texts)
    changed = (tmp_path / "page.xml").read_bytes()
    assert without_texts(changed) == without_texts(page.encode())
    layout = read_layout(tmp_path / "page.xml")
    assert [line.text.split() for line in layout.lines] == [text.split() for text in texts]
    assert [line.name for line in layout.lines] == ["l0", "l1"]
