"""The MLflow model takes every form of input that MLflow documents, in Python and behind MLflow's own server."""

import asyncio
import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.inference import line_predictions
from pipeline.tracking.model import _SERVING_CODE, _signature

NARROW, WIDE = np.zeros((28, 60), np.uint8), np.zeros((28, 90), np.uint8)
NARROW[2:26, 3:20:4] = WIDE[2:26, 3:80:4] = 255


def encode(pixels: np.ndarray) -> str:
    """A PNG in base64."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


A, B = encode(NARROW), encode(WIDE)
READ_A, READ_B = "120", "480"
"""What the model of the tests predicts: how many pixels have ink."""
LINES = np.stack([NARROW, NARROW])
SINGLE_OR_SEVERAL = [
    ({"picture": A}, [READ_A]),
    ({"picture": [A, B]}, [READ_A, READ_B]),
    ({"picture": [NARROW.tolist()]}, [READ_A]),
    ([{"picture": A}, {"picture": B}], [READ_A, READ_B]),
    ([A, B], [READ_A, READ_B]),
    ([f"data:image/png;base64,{A}", f"{A[:76]}\n{A[76:]}\n"], [READ_A, READ_A]),
    (LINES.tolist(), [READ_A, READ_A]),
    (WIDE.tolist(), [READ_B]),
    (A, [READ_A]),
    ([], []),
]


class Ink:
    """A predictor whose text is the number of pixels with full ink."""

    recognizer = SimpleNamespace(model=SimpleNamespace(height=28))

    def predict(self, images: list[np.ndarray]) -> list[SimpleNamespace]:
        assert {image.dtype for image in images} <= {np.dtype(np.uint8)}
        return [SimpleNamespace(text=str(int((image == 255).sum()))) for image in images]


@pytest.fixture(scope="module")
def loaded(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The model that MLflow stores, with a recognizer whose predictions are the ink of each line.

    The fixture `empty_store` has imported MLflow without its warnings.
    """
    import mlflow

    folder = tmp_path_factory.mktemp("model")
    (folder / "model.ckpt").write_text("weights")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(line_predictions, "load_predictor", lambda _: Ink())
        monkeypatch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")  # the server sets it too; so it is undone
        mlflow.pyfunc.save_model(
            folder / "saved",
            python_model=str(_SERVING_CODE),
            artifacts={"checkpoint": str(folder / "model.ckpt")},
            signature=_signature(),
            input_example=LINES,
            pip_requirements=["mlflow"],
        )
        yield mlflow.pyfunc.load_model(str(folder / "saved"))


@pytest.fixture
def post(loaded: Any) -> Callable[..., tuple[int, dict[str, Any]]]:
    """A function that sends a request to MLflow's server, which runs in this process, and returns status and answer."""
    from mlflow.pyfunc import scoring_server

    app = scoring_server.init(loaded)

    def send(body: object, content_type: str = "application/json") -> tuple[int, dict[str, Any]]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        scope = {
            **{"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/invocations"},
            **{"raw_path": b"/invocations", "query_string": b"", "root_path": ""},
            **{"headers": [(b"content-type", content_type.encode())], "client": None, "server": None},
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def answer(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(app(scope, receive, answer))
        return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))

    return send


@pytest.mark.parametrize("form", ["inputs", "instances"])
@pytest.mark.parametrize(("given", "texts"), SINGLE_OR_SEVERAL)
def test_inputs_and_instances(post: Callable[..., Any], form: str, given: object, texts: list[str]) -> None:
    if form == "instances" and given == {"picture": A}:
        given = [given]  # MLflow itself refuses an instance that is not in a list
    assert post({form: given}) == (200, {"predictions": texts})


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ({"dataframe_split": {"columns": ["picture"], "data": [[A], [B]]}}, [READ_A, READ_B]),
        (
            {"dataframe_split": {"columns": ["id", "picture"], "index": [7, 9], "data": [[1, B], [2, A]]}},
            [READ_B, READ_A],
        ),
        ({"dataframe_split": {"data": [[A]]}}, [READ_A]),
        ({"dataframe_split": {"columns": ["picture"], "data": [[NARROW.tolist()], [WIDE.tolist()]]}}, [READ_A, READ_B]),
        ({"dataframe_records": [{"picture": A}, {"picture": B}]}, [READ_A, READ_B]),
        ({"dataframe_records": [{"picture": NARROW.tolist()}]}, [READ_A]),
    ],
)
def test_tables(post: Callable[..., Any], body: object, texts: list[str]) -> None:
    assert post(body) == (200, {"predictions": texts})


def test_a_table_as_csv(post: Callable[..., Any]) -> None:
    assert post(f"picture\n{A}\n{B}\n".encode(), "text/csv") == (200, {"predictions": [READ_A, READ_B]})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"dataframe_records": [{"image": A}]},
            "expected a column `picture` with paths, base64 or pixels, got ['image']",
        ),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[A, B]]}}, "expected a column `picture`"),
        ({"inputs": {"image": [A]}}, "expected a column `picture`"),
        ({"instances": [{"image": A}]}, "expected a column `picture`"),
        ({"dataframe_records": [{"picture": A}, {"picture": None}]}, "picture 1: expected a path, the base64"),
        ({"inputs": [A, "no.png"]}, "picture 1: 'no.png' is neither a file nor base64"),
        ({"inputs": [A[:60]]}, "picture 0: "),
        ({"inputs": [""]}, "picture 0: expected a path, the base64"),
        ({"inputs": None}, "expected pictures, got "),
        ({"inputs": 5}, "expected pictures, got "),
        ({"inputs": [1.5]}, "picture 0: expected "),
        ({"inputs": np.zeros((1, 32, 9), int).tolist()}, "picture 0: is blank"),
        ({"inputs": np.full((1, 28, 9), 256).tolist()}, "picture 0: expected pixels from 0 to 255, got 256 to 256"),
        ({"inputs": np.full((28, 9), 0.5).tolist()}, "picture 0: is blank"),
    ],
)
def test_bad_input_is_answered_in_one_line(post: Callable[..., Any], body: object, message: str) -> None:
    status, answer = post(body)
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert answer["message"].startswith(message)
    assert len(answer["message"]) < 200
    assert "\n" not in answer["message"]
    assert "stack_trace" not in answer


@pytest.mark.parametrize(("given", "texts"), SINGLE_OR_SEVERAL)
def test_plain_values_in_python(loaded: Any, given: object, texts: list[str]) -> None:
    assert loaded.predict(given) == texts


def test_tables_and_arrays_in_python(loaded: Any, tmp_path: Path) -> None:
    (tmp_path / "line.png").write_bytes(base64.b64decode(A))
    table = pd.DataFrame({"picture": [str(tmp_path / "line.png"), B, A]}, index=[3, 1, 2])
    for given in (table, table["picture"], table["picture"].to_numpy()):
        assert loaded.predict(given) == [READ_A, READ_B, READ_A]
    assert loaded.predict(LINES) == loaded.predict(LINES.astype(np.int64)) == [READ_A, READ_A]
    assert loaded.predict([NARROW, WIDE]) == [READ_A, READ_B]
    assert loaded.predict(WIDE) == [READ_B]
    assert loaded.predict(base64.b64decode(B)) == [READ_B]


@pytest.mark.parametrize("lines", [np.zeros((1, 32, 96), np.uint8), np.zeros((1, 28, 96), np.float32), [[[1, 2], [3]]]])
def test_other_arrays_are_refused_in_python(loaded: Any, lines: object) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=r"^picture 0: (is blank|expected pixels \(H, W\))"):
        loaded.predict(lines)


def test_a_bad_picture_among_others(loaded: Any, post: Callable[..., Any]) -> None:
    from mlflow.exceptions import MlflowException

    given = [A, A[:60], B]
    with pytest.raises(MlflowException, match=r"^picture 1: .* \(1 of 3 pictures; errors: coerce reads the others\)$"):
        loaded.predict(given)
    assert loaded.predict(given, params={"errors": "coerce"}) == [READ_A, None, READ_B]
    body = {"inputs": given, "params": {"errors": "coerce"}}
    assert post(body) == (200, {"predictions": [READ_A, None, READ_B]})
    with pytest.raises(MlflowException, match=r"^params\.errors: 'skip'; expected raise or coerce"):
        loaded.predict(given, params={"errors": "skip"})
