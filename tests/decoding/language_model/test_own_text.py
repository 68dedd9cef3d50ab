import pytest

from pipeline.common.vocabulary import Vocabulary
from pipeline.decoding.language_model.own_text import FittedText, fit_text

PLAIN = Vocabulary(" \"'-.abcdefghijklmnopqrstuvwxyzE1")


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        ("l’été", "l'ete"),
        ("«oui» – non…", '"oui" - non...'),
        ("cœur ﬁn É", "coeur fin E"),
        ("a\n\n  b\tc", "a b c"),
        ("e\u0301te\u0301", "ete"),
    ],
)
def test_plainer_signs_stand_in_for_those_that_the_lines_lack(text: str, fitted: str) -> None:
    assert fit_text(text, PLAIN) == FittedText(fitted, 0, "")


def test_signs_that_the_lines_have_stay() -> None:
    text = "l’été, cœur …"
    assert fit_text(text, Vocabulary("".join(sorted(set(text))))) == FittedText(text, 0, "")


def test_words_with_other_characters_are_left_out_and_named() -> None:
    assert fit_text("un 100€ deux €3 trois", PLAIN) == FittedText("un deux trois", 2, "0€3")


def test_a_text_without_words_is_empty() -> None:
    assert fit_text(" \n", PLAIN).text == ""
