"""A real browser, if one is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


def browse(address: str, profile: Path, milliseconds: int = 5000) -> tuple[str, str]:
    """The page after its scripts ran for so long, in 1400 x 1000 pixels, and the output of the browser.

    The time is the browser's own: it waits for answers of servers, and skips over other waits.
    """
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    options = [f"--user-data-dir={profile}", "--window-size=1400,1000", f"--virtual-time-budget={milliseconds}"]
    result = subprocess.run([*command, *options, address], capture_output=True, text=True, timeout=240, check=True)
    return result.stdout, result.stderr
