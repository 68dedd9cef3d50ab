"""The Brown corpus as NLTK packages it: downloaded by NLTK, or in any archive or folder; read without extracting it."""

import io
import tempfile
import warnings
from pathlib import Path

from pipeline.common.errors import InputError
from pipeline.common.files import file_sha256
from pipeline.data.sources.archives import File, describe_files, find_files, open_archive, open_file
from pipeline.data.sources.base import LoadedText
from pipeline.data.sources.download import Pin, obtain
from pipeline.data.storage.corpus import Document
from pipeline.settings.sources import CorpusSettings

NAME = r"(c[a-r][0-9]{2})"
WHOLE = (500, 1_161_192)
"""Documents and words of the whole corpus."""
MAX_BYTES = 1 << 26
"""Six times the size of Brown's documents."""
ADVICE = "corpus needs documents of NLTK's brown.zip, undamaged, in a zip or tar archive or a folder"
HINT = (
    "download brown.zip of NLTK's data by other means, then set corpus.source to archive and corpus.archive to its "
    "path, or set corpus.source to builtin to go on without the Brown corpus"
)
ARCHIVE_HINT = (
    "set corpus.archive or corpus.url to NLTK's brown.zip or a part of it and corpus.sha256 to its hash, or for a path "
    "to null, or set corpus.source to brown or builtin"
)


def load_brown(settings: CorpusSettings, store: Path) -> LoadedText:
    """Load the Brown corpus; let NLTK download it if `store` does not have it."""
    return _load(download_brown(store, settings.brown.sha256))


def load_archive(settings: CorpusSettings, store: Path) -> LoadedText:
    """Load the Brown corpus, or a part of it, from the user's own archive or folder."""
    return _load(obtain(settings.place, store, Pin("corpus", settings.sha256), hint=ARCHIVE_HINT))


def _load(archive: Path) -> LoadedText:
    documents = brown_documents(archive)
    counts = len(documents), sum(len(text.split()) for _, text in documents)
    name = "the Brown corpus" if counts == WHOLE else f"{counts[0]} documents of the Brown corpus"
    return LoadedText(documents, name, file_sha256(archive) if archive.is_file() else "")


def download_brown(store: Path, sha256: str, index_url: str | None = None) -> Path:
    """Return `brown.zip` in the store; let NLTK download it if it is not there.

    `index_url` is the address of an index of NLTK's data; the default is NLTK's own.

    Raises:
        InputError: NLTK cannot download it, or its hash is not `sha256`.
    """
    target = store / "brown.zip"
    try:
        if target.is_file() and file_sha256(target) == sha256:
            return target
        store.mkdir(parents=True, exist_ok=True)
        # NLTK refuses folders that a group may write to, such as many checkouts; only the owner may write to this one.
        with tempfile.TemporaryDirectory(prefix=".nltk.", dir=store) as folder:
            problem = _run_downloader(folder, index_url)
            fetched = Path(folder, "corpora", "brown.zip")
            if not fetched.is_file():
                raise InputError(f"brown.zip: NLTK could not fetch it ({problem or 'it is no corpus there'}); {HINT}")
            if (got := file_sha256(fetched)) != sha256:
                raise InputError(
                    f"brown.zip: NLTK fetched a file of SHA-256 {got}, but corpus.brown.sha256 is {sha256}; {HINT}"
                )
            fetched.replace(target)
    except OSError as error:
        raise InputError(f"{target}: cannot be kept ({error.strerror or error}); {HINT}") from None
    return target


def _run_downloader(folder: str, index_url: str | None) -> str:
    """Let NLTK download and extract; return its complaint, which may concern only the extracted files, or ''."""
    from nltk.downloader import Downloader  # imported here, as it takes a second and is seldom needed

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about hashes missing from the index: the caller checks its own
            Downloader(index_url).download(
                "brown", download_dir=folder, quiet=True, raise_on_error=True, print_error_to=io.StringIO()
            )
    # NLTK raises any of these for an index that is not its own.
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, AttributeError) as error:
        return " ".join(str(error).split())
    return ""


def brown_documents(archive: Path) -> list[Document]:
    """Read name (such as `ca01`) and text of each document, sorted by name and without part-of-speech tags.

    NLTK's own reader opens only files in its data folders.

    Raises:
        InputError: the archive or a document in it cannot be used; the line names both.
    """
    with open_archive(archive, ADVICE) as files:
        found = find_files(files, NAME)
        if not found:
            raise InputError(f"has no document such as ca01, {describe_files(files)}")
        if (size := sum(file.size for file in found.values())) > MAX_BYTES:
            raise InputError(f"its documents are {size} bytes; at most {MAX_BYTES} can be read")
        return [(name, _read_document(file)) for name, file in found.items()]


def _read_document(file: File) -> str:
    """Join the words of a document. Its tokens are `word/tag`, and a word may contain slashes."""
    with open_file(file, MAX_BYTES) as stream:
        content = stream.read()
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        raise InputError(f"{file.path}: is not ASCII text") from None
    words = []
    for token in text.split():
        word, slash, tag = token.rpartition("/")
        if not (word and slash and tag):
            raise InputError(f"{file.path}: {token[:40]!r} is not a word/tag")
        words.append(word)
    return " ".join(words)
