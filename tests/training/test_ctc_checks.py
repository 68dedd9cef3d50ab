import numpy as np
import pandas as pd
import pytest

from pipeline.common.errors import InputError
from pipeline.training.ctc_checks import USUAL_PLATEAU, describe_blanks, require_fitting
from tests.tiny import tiny_settings, tiny_training
from tests.training.short import fit


@pytest.mark.parametrize("part", ["training", "validation"])
def test_lines_too_short_for_ctc_are_refused(part: str) -> None:
    settings = tiny_settings("line_cnn_simple", "ctc", window_stride=35)
    texts = {"training": ["AB"], "validation": ["AB"], part: ["AB", "ABBA"]}
    with pytest.raises(InputError) as error:
        fit(settings, tiny_training(), texts["training"], texts["validation"])
    assert str(error.value) == (
        "experiments: CTC cannot fit 1 of 3 lines: 'ABBA' and its repeats need 5 steps; it is 112 pixels wide, "
        "which makes S = 4 with windows of 28 every 35 pixels; choose a smaller window_stride"
    )


@pytest.mark.parametrize(
    ("text", "width", "stride", "wrap", "fits"),
    [
        ("ABC", 84, 28, False, True),
        ("ABB", 84, 28, False, False),
        ("ABB", 85, 28, False, True),
        ("AAA", 84, 21, False, False),
        ("AAA", 84, 20, False, True),
        ("AB", 84, 28, True, False),
        ("AB", 84, 27, True, True),
    ],
)
def test_which_lines_fit(text: str, width: int, stride: int, wrap: bool, fits: bool) -> None:
    recognizer = tiny_settings("line_cnn_simple", "ctc", wrap=wrap, window_stride=stride).build()
    if fits:
        require_fitting(recognizer, ["A", text], [84, width])
    else:
        with pytest.raises(InputError, match=f"'{text}' .* {width} pixels wide, .* every {stride} pixels"):
            require_fitting(recognizer, ["A", text], [84, width])


def test_a_rare_short_line_is_printed_but_not_refused(capsys: pytest.CaptureFixture[str]) -> None:
    recognizer = tiny_settings("line_cnn_simple", "ctc", window_stride=28).build()
    texts, widths = ["A"] * 99 + ["400000"], [28] * 99 + [151]
    require_fitting(recognizer, texts, widths)
    (line,) = capsys.readouterr().out.splitlines()
    assert line == (
        "train: 1 of 100 lines teach nothing, as CTC cannot fit them: '400000' and its repeats need 10 steps; "
        "it is 151 pixels wide, which makes S = 6 with windows of 28 every 28 pixels"
    )
    with pytest.raises(InputError, match="CTC cannot fit 1 of 99 lines: '400000'"):
        require_fitting(recognizer, texts[1:], widths[1:])


def test_cross_entropy_needs_no_minimum_of_steps() -> None:
    settings = tiny_settings("line_cnn_simple", "ce", window_stride=100)
    assert len(fit(settings, tiny_training(), ["AAAA"], ["AAAA"]).history) == 1


@pytest.mark.parametrize(
    ("steps", "shares", "said"),
    [
        (40, [1.0, 1.0], "only blanks after 40 steps; usual up to about 400"),
        (USUAL_PLATEAU, [1.0, 1.0], "only blanks after 400 steps; it is usual only up to about 400"),
        (500, [1.0, 0.7], None),
        (40, None, None),
    ],
)
def test_a_model_that_predicts_only_blanks_is_reported(
    steps: int, shares: list[float] | None, said: str | None
) -> None:
    history = pd.DataFrame({"step": np.array([steps // 2, steps], float), "val_loss": [3.0, 2.0]})
    if shares:
        history["val_blank_share"] = shares
    line = describe_blanks(history)
    assert line is None if said is None else said in str(line)
