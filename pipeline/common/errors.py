"""Errors that the user can fix: one line and an exit status instead of a traceback."""

import errno
import sys
from collections.abc import Callable


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
DISK_SIGNS = ("No space left", "File too large", "quota exceeded", "file write failed", "iostream error")
"""In the messages of HDF5 and PyTorch, whose errors have no `errno`."""


def exit_on_input_error(main: Callable[[], None]) -> None:
    """Run the `main` of a command line; on an `InputError`, print one line and exit with status 2.

    A lack of memory or disk space ends in the same way, Ctrl-C with status 130.
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
        if not (shortage := describe_shortage(error)):
            raise
        print(f"error: {shortage}", file=sys.stderr)
        raise SystemExit(2) from None


def describe_shortage(error: BaseException) -> str | None:
    """One line that says what is short and what to do, if memory or disk space caused the error; else None."""
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause)
        if isinstance(cause, MemoryError) or any(sign in text for sign in MEMORY_SIGNS):
            advice = "lower training.batch_size or the model's sizes, or end other programs"
            return f"out of memory ({_first_line(cause)}); {advice}"
        fault = DISK_FAULTS.get(cause.errno or 0) if isinstance(cause, OSError) else None
        if fault or any(sign in text for sign in DISK_SIGNS):
            name = getattr(cause, "filename", None)
            where = f"{name}: " if name else ""
            return f"{where}cannot be written ({fault or _first_line(cause)}); free space on the disk and run it again"
        cause = cause.__cause__ or cause.__context__
    return None


def reraise_shortage(error: BaseException) -> None:
    """Raise the error again if it is a lack of memory or disk space: then the file that was read is not to blame."""
    if describe_shortage(error):
        raise error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
