"""Errors that the user can fix: one line and an exit status instead of a traceback."""

import errno
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class InputError(ValueError):
    """Settings, an archive, a checkpoint or another input cannot be used.

    The message is one line for the user: it names the key or file, what is allowed, and what to do. Programming errors
    stay `assert` or other exceptions.
    """


MEMORY_SIGNS = ("not enough memory", "allocate memory", "out of memory", "Unable to allocate")
"""In the messages of PyTorch's allocators, which raise a RuntimeError, and of NumPy's."""
DISK_FAULTS = {
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "the file grew too large",
}
NO_TEMPORARY_FOLDER = "No usable temporary directory"
"""In the message of Python's `tempfile`."""
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
"""A file may not be read or written."""
DISK_SIGNS = ("No space left", "File too large", "quota exceeded", "file write failed", "iostream error")
"""In the messages of HDF5 and PyTorch, whose errors have no `errno`."""


def exit_on_input_error(main: Callable[[], None]) -> None:
    """Run the `main` of a command line; on an `InputError`, print one line and exit with status 2.

    A lack of memory, disk space or permission ends in the same way, Ctrl-C with status 130.
    """
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        if not (reason := describe_shortage(error) or describe_denial(error)):
            raise
        print(f"error: {reason}", file=sys.stderr)
        raise SystemExit(2) from None


def describe_shortage(error: BaseException) -> str | None:
    """One line that says what is short and what to do, if memory or disk space caused the error; else None."""
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause)
        if isinstance(cause, MemoryError) or any(sign in text for sign in MEMORY_SIGNS):
            advice = "lower training.batch_size or the model's sizes, or end other programs"
            return f"out of memory ({_first_line(cause)}); {advice}"
        if NO_TEMPORARY_FOLDER in text:
            return f"{_first_line(cause)}: free space in one of them, or set TMPDIR to another one"
        fault = DISK_FAULTS.get(cause.errno or 0) if isinstance(cause, OSError) else None
        if fault or any(sign in text for sign in DISK_SIGNS):
            place = getattr(cause, "filename", None) or _fullest_folder()
            return (
                f"{place}: cannot be written ({fault or _first_line(cause)}); free space on the disk and run it again"
            )
        cause = cause.__cause__ or cause.__context__
    return None


def _fullest_folder() -> str:
    """The working folder or the one for temporary files, whichever has less space left."""
    here = Path.cwd()
    with suppress(OSError):
        temporary = Path(tempfile.gettempdir())
        if shutil.disk_usage(temporary).free < shutil.disk_usage(here).free:
            return f"{temporary} (for temporary files; TMPDIR names another one)"
    return str(here)


def describe_denial(error: BaseException) -> str | None:
    """One line that names the file and says what to do, if the user may not read or write it; else None."""
    if not isinstance(error, OSError) or error.errno not in DENIED or not error.filename:
        return None
    return f"{error.filename}: {error.strerror}; get the right to write here, or work in a copy of the project"


def reraise_shortage(error: BaseException) -> None:
    """Raise the error again if it is a lack of memory or disk space: then the file that was read is not to blame."""
    if describe_shortage(error):
        raise error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
