import numpy as np

from pipeline.data.sources.help_pages import builtin_documents
from pipeline.data.storage.characters import SPLITS
from pipeline.data.storage.corpus import make_corpus, split_documents


def test_help_pages_give_prose_without_code() -> None:
    pages = {
        "b": "The statement\n*************\n\nIt is a sentence of just enough words, with `code()` in it.\n",
        "a": "   x = 1  # a line of code that has enough words in it\n\nThe pen of my aunt\nlies on “my” uncle's desk.",
        "c": "It is a sentence of just enough words, with `code()` in it.",
        "d": "New in version 3.8: The walrus and the carpenter were walking close at hand.",
    }
    assert builtin_documents(pages) == [
        ("a", "The pen of my aunt lies on “my” uncle's desk."),
        ("b", "It is a sentence of just enough words, with in it."),
    ]


def test_help_pages_of_this_python_are_enough_for_a_corpus() -> None:
    documents = builtin_documents()
    parts = split_documents(documents, 0.1, 0.1, np.random.default_rng(0))
    corpus = make_corpus(parts, name="Python's help pages", source="builtin")
    assert sum(corpus.documents.values()) == len(documents) >= 30
    assert len(corpus.text["train"].split()) > 10_000
    assert min(len(corpus.text[part].split()) for part in SPLITS) > 100
    paragraphs = [paragraph for _, text in documents for paragraph in text.split("\n\n")]
    assert len(set(paragraphs)) == len(paragraphs)
    assert " the " in corpus.text["test"]
