"""English text without a download: the help pages that come with Python."""

import re
from collections.abc import Mapping
from pathlib import Path
from pydoc_data.topics import topics

from pipeline.data.sources.base import LoadedText
from pipeline.data.storage.corpus import Document
from pipeline.settings.sources import CorpusSettings

WORD = re.compile(r"""["'(*“‘]*[A-Za-z0-9]+(?:['’-][A-Za-z]+)*[.,;:!?)"'*”’]*""")
"""A word with punctuation and emphasis around it, but not code such as `str.format()`."""
HISTORY = ("New in version", "Changed in version", "Deprecated since", "Added in version")
MIN_WORDS = 8
MIN_WORD_FRACTION = 0.8
"""A paragraph with a smaller fraction of words is code, a grammar or a table."""


def load_help_pages(settings: CorpusSettings, store: Path) -> LoadedText:
    """Load Python's help pages, which need no settings and no download."""
    return LoadedText(builtin_documents(), "Python's help pages")


def builtin_documents(pages: Mapping[str, str] = topics) -> list[Document]:
    """Return name and text of each help page, sorted by name: only paragraphs of prose, no code.

    A paragraph that several pages repeat is kept only on the first, as training and test pages must not share text.
    A page without a paragraph of its own is left out.
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
    """Return the paragraph's words, or an empty string if it is not prose."""
    tokens = paragraph.split()
    words = [token for token in tokens if WORD.fullmatch(token)]
    text = " ".join(words)
    is_prose = len(words) >= MIN_WORDS and len(words) >= MIN_WORD_FRACTION * len(tokens)
    ends = paragraph.rstrip().endswith((".", ":", ".)"))
    return text if is_prose and ends and not text.startswith(HISTORY) else ""
