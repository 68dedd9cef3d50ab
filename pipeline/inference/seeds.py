"""What was measured of several models of one experiment, which differ in their seed, taken together."""

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

import pandas as pd


def mean_rates(by_seed: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The means of what is named `test_…` and a number, by name.

    Of several seeds also their number and the sample standard deviation of their CER, by the names of
    `pipeline.metrics.error_rates.SEED_STATISTICS`.
    """
    every = list(by_seed.values())
    means = {name: fmean(one[name] for one in every) for name in every[0] if name.startswith("test_")}
    if len(every) == 1:
        return means
    return {**means, "test_cer_std": stdev(one["test_cer"] for one in every), "seeds": len(every)}


def joined_predictions(by_seed: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """One table with `seed` as first column, one seed after another."""
    return pd.concat(dict(by_seed), names=["seed"]).reset_index("seed")


def describe_spread(metrics: Mapping[str, Any]) -> str:
    """What follows a mean CER in a line of text; nothing where there is one seed."""
    return f" ± {metrics['test_cer_std']:.2%} ({metrics['seeds']} seeds)" if "seeds" in metrics else ""
