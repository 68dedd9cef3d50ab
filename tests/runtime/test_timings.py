import re
from pathlib import Path

import pytest

from pipeline.common.errors import InputError
from pipeline.runtime.machine import describe_machine
from pipeline.runtime.timings import Timing, read_timing, write_timing


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_timing_is_read_back_to_a_tenth() -> None:
    write_timing("mine", "train", {42: 60.04, 43: 80.06}, "32-true")
    timing = read_timing("mine", "train")
    assert timing == Timing({"42": 60.0, "43": 80.1}, "32-true", describe_machine())
    assert timing.mean == pytest.approx(70.05)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), ("{}", "not what the stage writes"), ("{", "not what the stage writes")],
)
def test_an_absent_or_damaged_timing_names_the_command_that_makes_it(content: str | None, reason: str) -> None:
    if content is not None:
        Path("timings").mkdir()
        Path("timings/mine_train.json").write_text(content)
    message = f"timings/mine_train.json: cannot be read ({reason}); run `dvc repro train@mine`"
    with pytest.raises(InputError, match=re.escape(message)):
        read_timing("mine", "train")
