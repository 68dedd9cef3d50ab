"""What the pages say of the hour's recipe is what the committed reports say."""

import csv
import json
from typing import Any

from tests.imports import ROOT

KEY = "resnet_lstm_ctc_variable"


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_pages_have_the_numbers_of_the_reports() -> None:
    rates: dict[str, Any] = json.loads(page("reports/decoding.json"))[f"{KEY}_beam"]
    recipes = page("docs/recipes.md")
    for reading, suffix in (("greedy", "_greedy"), ("with the language model", "")):
        cer, wer = (100 * rates[f"{name}{suffix}"] for name in ("cer", "wer"))
        assert f"| {reading} | {cer:.2f} % | {wer:.2f} % |\n" in recipes
    (row,) = [row for row in csv.DictReader(page("reports/comparison.csv").splitlines()) if row["experiment"] == KEY]
    assert f"took {float(row['training_seconds']) / 60:.0f} minutes to train" in recipes
    said = f"a CER of {rates['cer_greedy']:.1%} on the test lines of `variable`, and of {rates['cer']:.1%} with"
    assert said.replace("%", " %") in page("README.md")


def test_the_readme_has_the_shortest_of_the_budgets() -> None:
    shortest = min(csv.DictReader(page("reports/budgets.csv").splitlines()), key=lambda row: float(row["minutes"]))
    cer, beam = (f"{100 * float(shortest[name]):.1f} %" for name in ("test_cer", "test_cer_beam"))
    said = f"schedule of {float(shortest['minutes']):.0f} minutes is enough for {cer}, and for {beam} with the language"
    assert said in " ".join(page("README.md").split())
