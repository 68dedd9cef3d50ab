"""Write predicted texts into the XML of a page: ALTO or PAGE. Everything else of the file stays as it is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from pipeline.common.errors import InputError

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""
REPLACEMENT = "\ufffd"
LINE, STRING, SPACE, WORD, TEXT = "TextLine", "String", "SP", "Word", "TextEquiv"
ALTO_TEXTS, PAGE_TEXTS = (STRING, SPACE, "HYP"), (WORD, TEXT)
"""The children of a line that hold its text."""
BEFORE_TEXT = {"Shape", "AlternativeImage", "Coords", "Baseline"}
"""The children of a line that both schemas want before its text."""


@dataclass(frozen=True)
class PredictedWord:
    """A word and where it is."""

    text: str
    confidence: float
    """0 to 1."""
    box: tuple[int, int, int, int]
    """Left, top, right and bottom in the pixels of the XML."""


@dataclass(frozen=True)
class PredictedText:
    """The text of a line. An empty one has no confidence and no words."""

    text: str
    confidence: float | None
    """0 to 1."""
    words: Sequence[PredictedWord]


def write_texts(path: Path, texts: Sequence[PredictedText | None]) -> bytes:
    """The content of a page's file with a new text for each of its lines, in the order of the file.

    The texts and words that a line had are replaced. A line whose new text is None keeps them. ALTO gets a `String`
    for each word, with its confidence (`WC`). PAGE gets a `TextEquiv` for the line, with its confidence (`conf`); the
    text of a region, where it has one, is that of its lines.

    Raises:
        InputError: the file is not XML.
    """
    # No entity is expanded, and nothing outside of the file is read.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, strip_cdata=False)
    try:
        tree = etree.parse(path, parser)
    except etree.XMLSyntaxError as error:
        raise InputError(f"{path}: not valid XML ({error.msg})") from None
    root = tree.getroot()
    is_alto = etree.QName(root).localname == "alto"
    page = root if is_alto else root.find("{*}Page")
    names, new_children = (ALTO_TEXTS, _strings) if is_alto else (PAGE_TEXTS, _equivalent)
    for line, text in zip(page.iter(f"{{*}}{LINE}"), texts, strict=True):
        if text is not None:
            _replace_texts(line, names, new_children(text))
    if not is_alto:
        _update_regions(page)
    encoding, standalone = tree.docinfo.encoding or "UTF-8", tree.docinfo.standalone or None
    return bytes(etree.tostring(tree, encoding=encoding, xml_declaration=True, standalone=standalone))


New = tuple[str, dict[str, str], str | None]
"""The name of a new child, its attributes, and the text of the `Unicode` that it contains."""


def _strings(text: PredictedText) -> list[New]:
    words: list[New] = []
    for word in text.words:
        left, top, right, bottom = word.box
        box = {"HPOS": left, "VPOS": top, "WIDTH": right - left, "HEIGHT": bottom - top}
        attributes = {"CONTENT": _clean(word.text), **{name: str(value) for name, value in box.items()}}
        words += [(SPACE, {}, None)] if words else []
        words.append((STRING, {**attributes, "WC": _number(word.confidence)}, None))
    return words or [(STRING, {"CONTENT": ""}, None)]


def _equivalent(text: PredictedText) -> list[New]:
    confidence = {} if text.confidence is None else {"conf": _number(text.confidence)}
    return [(TEXT, confidence, _clean(text.text))]


def _number(confidence: float) -> str:
    return f"{confidence:.4f}"


def _clean(text: str) -> str:
    return NOT_IN_XML.sub(REPLACEMENT, text)


def _replace_texts(parent: etree._Element, names: Sequence[str], new: Sequence[New]) -> None:
    """Put new children where the first of the old ones called `names` is, or where the schema wants them."""
    old = [child for child in parent if _local_name(child) in names]
    before = [parent.index(child) + 1 for child in parent if _local_name(child) in BEFORE_TEXT]
    position = parent.index(old[0]) if old else max(before, default=0)
    # White space before the next child is the tail of the one before it.
    indentation = parent.text
    tail = (old or parent[:position])[-1].tail if old or position else indentation
    if not old and position:
        parent[position - 1].tail = indentation
    for child in old:
        parent.remove(child)
    for number, (name, attributes, content) in enumerate(new, start=1):
        child = etree.Element(_qualified(parent, name), attributes)
        child.tail = indentation if number < len(new) else tail
        parent.insert(position + number - 1, child)
        if content is not None:
            etree.SubElement(child, _qualified(parent, "Unicode")).text = content


def _update_regions(page: etree._Element) -> None:
    for region in page.iter("{*}TextRegion"):
        lines = region.findall(f"{{*}}{LINE}")
        if lines and region.find(f"{{*}}{TEXT}") is not None:
            texts = [line.findtext(f"{{*}}{TEXT}/{{*}}Unicode") or "" for line in lines]
            _replace_texts(region, (TEXT,), [(TEXT, {}, "\n".join(texts))])


def _local_name(node: etree._Element) -> str:
    """The name without its namespace; empty for comments and the like."""
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def _qualified(parent: etree._Element, name: str) -> str:
    """The name in the namespace of `parent`."""
    namespace = etree.QName(parent).namespace
    return f"{{{namespace}}}{name}" if namespace else name
