from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.data.storage.hdf5 import check_datasets


def refusal(path: Path, **arrays: dict[str, object]) -> str:
    with h5py.File(path, "w") as file:
        made = {name: file.create_dataset(name, **options) for name, options in arrays.items()}
        file.flush()
        with pytest.raises((TypeError, ValueError)) as error:
            check_datasets(made)
    assert path.stat().st_size < 2**20
    return str(error.value)


@pytest.mark.parametrize("chunks", [None, (1024, 32)])
def test_what_is_declared_and_not_held_is_refused(tmp_path: Path, chunks: tuple[int, int] | None) -> None:
    array = {"shape": (2**31, 32), "dtype": "u1", "chunks": chunks}
    assert refusal(tmp_path / "a.h5", labels=array) == "labels declares (2147483648, 32) and does not hold them"


def test_chunks_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    array = {"shape": (2**20, 2**10), "dtype": "u1", "chunks": (2**20, 2**10), "compression": "gzip"}
    assert refusal(tmp_path / "a.h5", images=array) == "images has chunks of (1048576, 1024)"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros(3), "no plain array of unsigned integers"),
        (np.uint8(3), "no plain array"),
        (np.zeros(0, np.uint8), "declares (0,)"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, data: object, said: str) -> None:
    assert said in refusal(tmp_path / "a.h5", widths={"data": data})


def test_different_lengths_are_refused(tmp_path: Path) -> None:
    one, two = ({"data": np.zeros(n, np.uint8)} for n in (1, 2))
    assert refusal(tmp_path / "a.h5", one=one, two=two) == "one, two have different lengths"


def test_groups_are_no_arrays(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file, pytest.raises(TypeError, match="labels is no array"):
        check_datasets({"labels": file.create_group("labels")})


def test_whole_arrays_pass(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        plain = file.create_dataset("plain", data=np.zeros((5, 4), np.uint16))
        packed = file.create_dataset("packed", data=np.zeros((5, 4), np.uint8), chunks=(2, 4), compression="lzf")
        check_datasets({"plain": plain, "packed": packed})
