"""What the pages say of the hour's recipe is what the pipeline measured."""

import json
from typing import Any

from tests.imports import ROOT


def kept(name: str) -> dict[str, Any]:
    measured: dict[str, Any] = json.loads((ROOT / "reports/hour" / name).read_text(encoding="utf-8"))
    return measured


def test_the_pages_have_the_numbers_of_the_run() -> None:
    greedy, beam = kept("metrics.json"), kept("decoding.json")
    assert beam["test_cer_greedy"] == greedy["test_cer"]
    recipes = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
    for reading, rates in (("greedy", greedy), ("with the language model", beam)):
        cer, wer, exact = (100 * rates[f"test_{name}"] for name in ("cer", "wer", "exact"))
        assert f"| {reading} | {cer:.2f} % | {wer:.1f} % | {exact:.1f} % |\n" in recipes
    (seconds,) = kept("timing.json")["by_seed"].values()
    assert f"took {seconds / 60:.0f} minutes to train" in recipes
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    said = f"a CER of {greedy['test_cer']:.1%} on the test lines of `variable`, and of {beam['test_cer']:.1%} with"
    assert said.replace("%", " %") in readme
