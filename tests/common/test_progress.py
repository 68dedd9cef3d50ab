import sys
from collections.abc import Callable

import pytest
import tqdm.std

from pipeline.common.progress import progress_bar


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move tqdm's clock on by some seconds."""
    now = [1000.0]
    monkeypatch.setattr(tqdm.std, "time", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def test_a_log_gets_a_line_every_half_minute(wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in progress_bar(range(10), desc="tuning", unit="choice"):
        wait(12)
    assert capsys.readouterr() == (
        "",
        "tuning:  30% 3/10 [00:36<01:24, 12.00s/choice]\n"
        "tuning:  60% 6/10 [01:12<00:48, 12.00s/choice]\n"
        "tuning:  90% 9/10 [01:48<00:12, 12.00s/choice]\n",
    )


def test_a_line_is_there_at_once(wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    for _ in progress_bar(range(3), desc="slow"):
        seen.append(capsys.readouterr().err.count("\n"))
        wait(31)
    assert seen == [0, 1, 1]


def test_short_work_says_nothing(wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in progress_bar(range(10), desc="tuning"):
        wait(2.9)
    with progress_bar(desc="searching", total=5) as bar:
        bar.update(5)
    assert capsys.readouterr() == ("", "")


def test_work_of_unknown_length_within_other_work(
    wait: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in progress_bar(range(2), desc="outer", unit="step"):
        with progress_bar(desc="inner", unit="B", unit_scale=True, leave=None) as bar:
            wait(40)
            bar.update(4_000_000)
            wait(10)
            bar.update(1_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "inner: 4.00MB [00:40, 100kB/s]",
        "outer:  50% 1/2 [00:50<00:50, 50.00s/step]",
        "inner: 4.00MB [00:40, 100kB/s]",
        "outer: 100% 2/2 [01:40<00:00, 50.00s/step]",
    ]


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(progress_bar(range(3), desc="tuning")) == [0, 1, 2]
    drawn = capsys.readouterr().err
    assert drawn.startswith("\rtuning:   0%|")
    assert "\rtuning: 100%|" in drawn
    assert drawn.count("\n") == 1
