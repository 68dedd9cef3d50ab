import pytest

from tests.imports import ROOT
from tests.mutations.catalogue import MUTATIONS


@pytest.mark.parametrize("file", MUTATIONS)
def test_each_fault_has_its_place_in_the_code(file: str) -> None:
    code = (ROOT / file).read_text("utf-8")
    assert [(old, code.count(old)) for old, _ in MUTATIONS[file] if code.count(old) != 1] == []
