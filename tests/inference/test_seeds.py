"""Results of several seeds combined."""

import pandas as pd
import pytest

from pipeline.inference.seeds import describe_spread, join_predictions, mean_rates

BY_SEED = {
    7: {"test_cer": 0.1, "test_wer": 0.5, "lines": 4},
    3: {"test_cer": 0.3, "test_wer": 1.0, "lines": 4},
    5: {"test_cer": 0.2, "test_wer": 0.0, "lines": 4},
}


def test_rates_are_averaged_by_hand() -> None:
    assert mean_rates(BY_SEED) == {
        "test_cer": pytest.approx(0.2),
        "test_wer": pytest.approx(0.5),
        "test_cer_std": pytest.approx(0.1),  # of 3 values, divided by 2
        "seeds": 3,
    }


def test_one_seed_has_no_spread() -> None:
    assert mean_rates({3: BY_SEED[3]}) == {"test_cer": 0.3, "test_wer": 1.0}
    assert describe_spread(mean_rates({3: BY_SEED[3]})) == ""
    assert describe_spread(mean_rates(BY_SEED)) == " ± 10.00% (3 seeds)"


def test_predictions_of_seeds_follow_one_another() -> None:
    table = join_predictions(
        {7: pd.DataFrame({"line": [0, 1], "text": ["a", ""]}), 3: pd.DataFrame({"line": [0], "text": ["b"]})}
    )
    assert table.to_csv(index=False) == "seed,line,text\n7,0,a\n7,1,\n3,0,b\n"
