"""The numbers in docs/recipes.md are those of the committed reports."""

import csv
import json
from typing import Any

import pytest

from tests.pages import read_page

LSTM, LOOKALIKES = "resnet_lstm_ctc_variable", "resnet_lookalikes_ctc_variable"
RECIPES = "docs/recipes.md"
BUDGETS = "reports/studies/budgets"


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(read_page(name).splitlines()))


def row(key: str, minutes: float, cer: float, beam: float) -> str:
    return f"| `{key}` | {minutes:.0f} | {100 * cer:.2f} % | {100 * beam:.2f} % |\n"


def longest() -> dict[str, str]:
    return max(rows(f"{BUDGETS}/budgets.csv"), key=lambda budget: int(budget["lines"]))


def text() -> str:
    """The page without line breaks."""
    return " ".join(read_page(RECIPES).split())


def test_the_recipes_have_the_numbers_of_the_reports() -> None:
    rates: dict[str, Any] = json.loads(read_page("reports/decoding.json"))[f"{LSTM}_beam"]
    (compared,) = [one for one in rows("reports/comparison.csv") if one["experiment"] == LSTM]
    page = read_page(RECIPES)
    assert row(LSTM, float(compared["training_seconds"]) / 60, rates["cer_greedy"], rates["cer"]) in page
    assert row(LOOKALIKES, *(float(longest()[name]) for name in ("minutes", "test_cer", "test_cer_beam"))) in page


@pytest.mark.parametrize("which", ["longest", "shortest"])
def test_the_page_has_the_longest_and_the_shortest_of_the_budgets(which: str) -> None:
    shortest = min(rows(f"{BUDGETS}/budgets.csv"), key=lambda budget: float(budget["minutes"]))
    budget = longest() if which == "longest" else shortest
    cer, beam = (f"{100 * float(budget[name]):.1f} %" for name in ("test_cer", "test_cer_beam"))
    said = {
        "longest": f"ends at a CER of {cer} on the test lines of `variable`, and of {beam} with a language model",
        "shortest": f"schedule of {float(budget['minutes']):.0f} minutes is enough for {cer}, and for {beam} with the",
    }
    assert said[which] in text()


def test_the_budgets_longest_training_is_the_recipe() -> None:
    assert f"# What `{LOOKALIKES}` reaches" in read_page(f"{BUDGETS}/budgets.md")


def test_each_seed_of_the_longest_has_the_rates_that_are_said_of_all_three() -> None:
    seeds = [one for one in rows(f"{BUDGETS}/budgets_by_seed.csv") if one["experiment"] == longest()["experiment"]]
    assert len(seeds) == int(longest()["seeds"]) == 3
    assert "with a language model, with each of three seeds." in text()
    assert "the mean of three seeds whose rates lie within a twentieth of a point." in text()
    for name in ("test_cer", "test_cer_beam"):
        rates = [float(one[name]) for one in seeds]
        assert {f"{rate:.3f}" for rate in rates} == {f"{float(longest()[name]):.3f}"}
        assert max(rates) - min(rates) < 0.0005
