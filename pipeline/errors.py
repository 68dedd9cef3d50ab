"""What goes wrong by the user's input, as opposed to by a fault of the program."""

import sys
from collections.abc import Callable


class InputError(ValueError):
    """Settings, an archive, a corpus, a checkpoint or another input file cannot be used.

    The message is one line for the person who runs the pipeline: it names the key or file,
    what is allowed, and what to do. Programming errors stay `assert` or other exceptions.
    """


def exit_on_input_error(main: Callable[[], None]) -> None:
    """Run a command line's `main`; an `InputError` ends it with one line and exit status 2."""
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
