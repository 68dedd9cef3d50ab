"""The Brown corpus as NLTK packages it: fetched by NLTK, and read without extracting it."""

import io
import re
import tempfile
import warnings
from pathlib import Path
from zipfile import ZipFile

from pipeline.common.errors import InputError
from pipeline.common.files import file_sha256
from pipeline.data.sources.archives import open_archive, open_member
from pipeline.data.storage.corpus import Document

DOCUMENT = re.compile(r"brown/(c[a-r][0-9]{2})")
MAX_BYTES = 1 << 26
"""Six times Brown's documents."""
ADVICE = "corpus needs an undamaged copy of NLTK's brown.zip"
HINT = (
    "download brown.zip of NLTK's data by other means, then set corpus.source to archive and corpus.archive to its "
    "path, or set corpus.source to builtin to go on without the Brown corpus"
)


def download_brown(store: Path, sha256: str, index_url: str | None = None) -> Path:
    """Return `brown.zip` from the store, where NLTK's downloader puts it first if need be.

    `index_url` is the index of NLTK's data, NLTK's own by default.

    Raises:
        InputError: NLTK could not get it, or it has not the hash `sha256`.
    """
    target = store / "brown.zip"
    try:
        if target.is_file() and file_sha256(target) == sha256:
            return target
        store.mkdir(parents=True, exist_ok=True)
        # NLTK refuses folders that a group may write to, as a checkout often is; this one is its owner's.
        with tempfile.TemporaryDirectory(prefix=".nltk.", dir=store) as folder:
            problem = _run_downloader(folder, index_url)
            fetched = Path(folder, "corpora", "brown.zip")
            if not fetched.is_file():
                raise InputError(f"brown.zip: NLTK could not fetch it ({problem or 'it is no corpus there'}); {HINT}")
            if (got := file_sha256(fetched)) != sha256:
                raise InputError(f"brown.zip: NLTK fetched a file of SHA-256 {got} instead of {sha256}; {HINT}")
            fetched.replace(target)
    except OSError as error:
        raise InputError(f"{target}: cannot be kept ({error.strerror or error}); {HINT}") from None
    return target


def _run_downloader(folder: str, index_url: str | None) -> str:
    """Let NLTK fetch and extract; return what it complains of, be it only of the extracted files."""
    from nltk.downloader import Downloader  # takes a second to import, for a file that is mostly there already

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about hashes that the index lacks: the caller has its own
            Downloader(index_url).download(
                "brown", download_dir=folder, quiet=True, raise_on_error=True, print_error_to=io.StringIO()
            )
    # An index that is not NLTK's ends in any of these.
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, AttributeError) as error:
        return " ".join(str(error).split())
    return ""


def brown_documents(archive: Path) -> list[Document]:
    """Read name and text of each document, by name, such as `ca01`; tags are left out.

    NLTK's own reader opens only files in its data folders.

    Raises:
        InputError: the archive or a document in it cannot be used; the line names both.
    """
    with open_archive(archive, ADVICE) as file:
        names = sorted({name for name in file.namelist() if DOCUMENT.fullmatch(name)})
        if not names:
            raise InputError("has no member such as brown/ca01")
        if (size := sum(file.getinfo(name).file_size for name in names)) > MAX_BYTES:
            raise InputError(f"its documents are {size} bytes; at most {MAX_BYTES} can be read")
        return [(name.removeprefix("brown/"), _read_document(file, name)) for name in names]


def _read_document(archive: ZipFile, name: str) -> str:
    """The words of a member whose tokens are `word/tag`, the word itself perhaps with slashes."""
    with open_member(archive, name, MAX_BYTES) as stream:
        content = stream.read()
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        raise InputError(f"{name}: is not ASCII text") from None
    words = []
    for token in text.split():
        word, slash, tag = token.rpartition("/")
        if not (word and slash and tag):
            raise InputError(f"{name}: {token[:40]!r} is not a word/tag")
        words.append(word)
    return " ".join(words)
