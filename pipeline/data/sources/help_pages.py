"""English text that needs no download: the help pages that Python carries."""

import re
from collections.abc import Mapping
from pydoc_data.topics import topics

from pipeline.data.storage.corpus import Document

WORD = re.compile(r"""["'(*“‘]*[A-Za-z0-9]+(?:['’-][A-Za-z]+)*[.,;:!?)"'*”’]*""")
"""A word with the punctuation and emphasis around it; not code such as `str.format()`."""
HISTORY = ("New in version", "Changed in version", "Deprecated since", "Added in version")
MIN_WORDS = 8
MIN_SHARE = 0.8
"""Share of words in a paragraph, below which it is code, a grammar or a table."""


def builtin_documents(pages: Mapping[str, str] = topics) -> list[Document]:
    """Name and text of each help page, by name: its paragraphs of prose, without code.

    Pages repeat each other's paragraphs. Each is kept on one page only, for pages that are split
    into parts must not share text; a page that has none of its own is left out.
    """
    seen: set[str] = set()
    documents = []
    for name in sorted(pages):
        paragraphs = []
        for paragraph in map(_prose, re.split(r"\n\s*\n", pages[name])):
            if paragraph and paragraph not in seen:
                seen.add(paragraph)
                paragraphs.append(paragraph)
        if paragraphs:
            documents.append((name, "\n\n".join(paragraphs)))
    return documents


def _prose(paragraph: str) -> str:
    """The paragraph's words, or an empty string if it is no prose."""
    tokens = paragraph.split()
    words = [token for token in tokens if WORD.fullmatch(token)]
    text = " ".join(words)
    is_prose = len(words) >= MIN_WORDS and len(words) >= MIN_SHARE * len(tokens)
    ends = paragraph.rstrip().endswith((".", ":", ".)"))
    return text if is_prose and ends and not text.startswith(HISTORY) else ""
