"""What a terminal gives to the programs that are started in it."""

import signal


def listen_to_ctrl_c() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
