import pytest

from pipeline.studies.variants_report import describe_changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"training.batch_size": 8}, "training.batch_size: 8"),
        ({"model.intermediate": True, "training.endless": None}, "model.intermediate: true, training.endless: null"),
        ({"model": {"name": "x"}}, 'model: {"name": "x"}'),
    ],
)
def test_changes_in_words(changes: dict[str, object], words: str) -> None:
    assert describe_changes(changes) == words
