"""Combine what was measured with the models of several seeds of one experiment."""

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

import pandas as pd


def mean_rates(by_seed: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The means of all values named `test_…`, by name.

    With several seeds, their number and the sample standard deviation of their CER are added, under the names of
    `pipeline.metrics.error_rates.SEED_STATISTICS`.
    """
    seeds = list(by_seed.values())
    means = {name: fmean(metrics[name] for metrics in seeds) for name in seeds[0] if name.startswith("test_")}
    if len(seeds) == 1:
        return means
    return {**means, "test_cer_std": stdev(metrics["test_cer"] for metrics in seeds), "seeds": len(seeds)}


def join_predictions(by_seed: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """One table with `seed` as its first column, one seed after another."""
    return pd.concat(dict(by_seed), names=["seed"]).reset_index("seed")


def describe_spread(metrics: Mapping[str, Any]) -> str:
    """The text that follows a mean CER, such as ` ± 0.30% (3 seeds)`; empty for one seed."""
    return f" ± {metrics['test_cer_std']:.2%} ({metrics['seeds']} seeds)" if "seeds" in metrics else ""
