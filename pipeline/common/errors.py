"""What goes wrong by the user's input, as opposed to by a fault of the program."""

import errno
import sys
from collections.abc import Callable


class InputError(ValueError):
    """Settings, an archive, a corpus, a checkpoint or another input file cannot be used.

    The message is one line for the person who runs the pipeline: it names the key or file,
    what is allowed, and what to do. Programming errors stay `assert` or other exceptions.
    """


MEMORY_SIGNS = ("not enough memory", "allocate memory", "out of memory", "Unable to allocate")
"""Of PyTorch's allocators, which raise a RuntimeError, and of NumPy's."""
DISK_FAULTS = {
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "the file grew too large",
}
DISK_SIGNS = ("No space left", "File too large", "quota exceeded", "file write failed", "iostream error")
"""Of HDF5 and PyTorch, whose errors have no number."""


def exit_on_input_error(main: Callable[[], None]) -> None:
    """Run a command line's `main`; an `InputError` ends it with one line and exit status 2.

    So does memory or disk that does not suffice; Ctrl-C ends it with status 130.
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
    """What is short and what to do about it, if the error or one that led to it says that; one line."""
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen)
        if isinstance(seen, MemoryError) or any(sign in text for sign in MEMORY_SIGNS):
            return (
                f"out of memory ({_first_line(seen)}); lower training.batch_size or the model's sizes, "
                f"or end other programs"
            )
        fault = DISK_FAULTS.get(seen.errno or 0) if isinstance(seen, OSError) else None
        if fault or any(sign in text for sign in DISK_SIGNS):
            name = getattr(seen, "filename", None)
            where = f"{name}: " if name else ""
            return f"{where}cannot be written ({fault or _first_line(seen)}); free space on the disk and run it again"
        seen = seen.__cause__ or seen.__context__
    return None


def reraise_shortage(error: BaseException) -> None:
    """Raise the error on if memory or disk did not suffice: then nothing is wrong with the file at hand."""
    if describe_shortage(error):
        raise error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
