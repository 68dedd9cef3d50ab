"""The HTTP interface, over HTTP."""

import base64
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from fastapi import FastAPI

from pipeline.app import api, service
from pipeline.app.models import ModelStore
from pipeline.app.writing import write_line
from pipeline.data.pictures.line import LineImage
from pipeline.inference.batches import load_recognizer
from pipeline.inference.pictures import read_lines
from tests.app.server import running
from tests.tiny import read_alone

PICTURES = [write_line(text, seed) for seed, text in enumerate(("Hello", "a", "two words"))]
BAD = b"no picture"


def encode(content: bytes) -> str:
    return base64.b64encode(content).decode()


def expected(workspace: Path, experiment: str) -> list[str]:
    recognizer = load_recognizer(workspace / f"models/{experiment}/seed_1.ckpt")
    return read_alone(recognizer, [line.pixels for picture in PICTURES for line in read_lines(picture, "line", 28)])


def post_files(address: str, pictures: list[bytes], **fields: str) -> requests.Response:
    files = [("pictures", (f"{number}.png", picture)) for number, picture in enumerate(pictures)]
    return requests.post(f"{address}/v1/read", files=files, data=fields, timeout=60)


def post_json(address: str, body: Any) -> requests.Response:
    return requests.post(f"{address}/v1/read/base64", json=body, timeout=60)


def texts(response: requests.Response) -> list[str | None]:
    """The text of the line of each picture; None where it could not be read."""
    assert response.status_code == 200, response.text
    return [
        "".join(line["reading"]["text"] for line in one["lines"]) if not one["error"] else None
        for one in response.json()["results"]
    ]


def problem(response: requests.Response, status: int) -> str:
    """The message, which is one line."""
    assert response.status_code == status, response.text
    assert list(response.json()) == ["detail"]
    assert "\n" not in response.json()["detail"]
    return str(response.json()["detail"])


@pytest.mark.parametrize("model", ["first_ctc", "second_ce"])
def test_files_and_base64_are_read_as_predict_reads_them(address: str, workspace: Path, model: str) -> None:
    wanted = expected(workspace, model)
    assert texts(post_files(address, PICTURES, model=model)) == wanted
    first, *others = map(encode, PICTURES)
    encoded = [first.rstrip("=").replace("+", "-").replace("/", "_"), f"\ndata:image/png;base64,{others[0]}"]
    encoded.append("\n".join(others[1][start : start + 76] for start in range(0, len(others[1]), 76)))
    assert texts(post_json(address, {"pictures": encoded, "model": model})) == wanted


def test_the_model_with_the_lowest_cer_is_the_first_and_reads_by_default(address: str, workspace: Path) -> None:
    models = requests.get(f"{address}/v1/models", timeout=60).json()
    assert [(one["name"], one["test_cer"]) for one in models] == [("first_ctc", 0.1), ("second_ce", 0.2)]
    assert texts(post_files(address, PICTURES)) == expected(workspace, "first_ctc")


def test_a_bad_picture_among_others_has_its_own_error(address: str, workspace: Path) -> None:
    response = post_files(address, [PICTURES[0], BAD, PICTURES[1]])
    wanted = expected(workspace, "first_ctc")
    assert texts(response) == [wanted[0], None, wanted[1]]
    assert response.json()["results"][1]["error"].startswith("1.png: not a picture")


def test_details_are_sent_where_they_are_asked_for(address: str) -> None:
    plain, full = (post_files(address, PICTURES[:1], details=details).json() for details in ("false", "true"))
    (plain,), (full,) = (answer["results"][0]["lines"] for answer in (plain, full))
    assert plain["details"] is None
    assert full["reading"] == plain["reading"]
    assert {"image", "likeliest", "steps", "runs", "language_model"} < set(full["details"])
    places = [(one["left"], one["right"]) for one in plain["reading"]["characters"]]
    assert places == sorted(places)


def test_a_picture_of_several_lines_has_a_reading_for_each(
    address: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_three(content: bytes, name: str, height: int) -> Iterator[LineImage]:
        for picture in PICTURES:
            yield LineImage(next(read_lines(picture, name, height)).pixels, (0, 0, 1, 1))

    monkeypatch.setattr("pipeline.inference.pictures.read_lines", read_three)
    (result,) = post_files(address, [b"a page"]).json()["results"]
    assert [line["reading"]["text"] for line in result["lines"]] == expected(workspace, "first_ctc")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"pictures": "x"}, "body.pictures: Input should be a valid list"),
        ({"pictures": []}, "body.pictures: List should have at least 1 item"),
        ({"pictures": ["x"] * (api.MAX_PICTURES + 1)}, "body.pictures: List should have at most 64 items"),
        ({"pictures": ["not base64!"]}, "picture 0: not base64"),
        ({"pictures": ["/etc/hostname"]}, "picture 0: not"),
        ({"pictures": [encode(BAD)]}, "picture 0: not a picture"),
        (
            {"pictures": [encode(PICTURES[0])], "model": "../models"},
            "model '../models' is unknown; there are first_ctc",
        ),
    ],
)
def test_bad_input_is_answered_in_one_line(address: str, body: dict[str, Any], message: str) -> None:
    assert problem(post_json(address, body), 422).startswith(message)


def test_a_body_that_is_no_json_or_has_no_pictures_is_refused(address: str) -> None:
    response = requests.post(
        f"{address}/v1/read/base64", data="{", headers={"Content-Type": "application/json"}, timeout=60
    )
    assert problem(response, 422).startswith("body")
    assert problem(requests.post(f"{address}/v1/read", data={"model": "x"}, timeout=60), 422).startswith(
        "body.pictures"
    )


def test_too_many_files_are_refused(address: str) -> None:
    assert "at most 64" in problem(post_files(address, [BAD] * (api.MAX_PICTURES + 1)), 422)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch, chunked: bool) -> None:
    monkeypatch.setattr(api, "MAX_BYTES", 2**20)
    body: Any = (b"-" * 2**16 for _ in range(17)) if chunked else b"-" * 17 * 2**16
    with running(api.create_api(ModelStore())) as address:
        response = requests.post(f"{address}/v1/read/base64", data=body, timeout=60)
    assert problem(response, 413) == "more than 1 MiB; send fewer or smaller pictures"


def test_another_host_is_refused(address: str) -> None:
    response = requests.get(f"{address}/v1/health", headers={"Host": "example.org"}, timeout=60)
    assert response.status_code == 400


def test_health(address: str) -> None:
    assert requests.get(f"{address}/v1/health", timeout=60).json() == {"status": "ok"}


def test_the_schema_describes_requests_answers_and_problems(address: str) -> None:
    schema = requests.get(f"{address}/openapi.json", timeout=60).json()
    assert sorted(schema["paths"]) == ["/v1/health", "/v1/models", "/v1/read", "/v1/read/base64"]
    read = schema["paths"]["/v1/read/base64"]["post"]
    assert read["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("ReadAnswer")
    for status in ("413", "422", "503"):
        assert read["responses"][status]["content"]["application/json"]["schema"]["$ref"].endswith("Problem")
    assert {"Reading", "Character", "Details", "PictureReading"} <= set(schema["components"]["schemas"])


class Gate:
    """Holds back the reading of lines until it is opened; remembers the number of lines in each batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.batches: list[int] = []
        read = service.read_lines

        def wait(lines: list[service.Line]) -> Any:
            self.batches.append(len(lines))
            self.opened.wait(20)
            return read(lines)

        monkeypatch.setattr(service, "read_lines", wait)

    def wait_for_batches(self, count: int) -> None:
        wait_until(lambda: len(self.batches) == count)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


def waiting(app: FastAPI) -> list[bool]:
    """For each line that waits: whether somebody still wants it."""
    return [not future.done() for _, future in app.state.service._batcher._queue]


def test_a_late_answer_is_given_up_and_the_server_goes_on(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "SECONDS", 0.5)
    gate = Gate(monkeypatch)
    with running(api.create_api(ModelStore())) as address:
        requests.get(f"{address}/v1/models", timeout=60)
        assert problem(post_files(address, PICTURES[:1]), 503).startswith("not done within 0.5 seconds")
        gate.opened.set()
        assert requests.get(f"{address}/v1/health", timeout=60).status_code == 200


def test_too_many_waiting_lines_are_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "WAITING_LINES", 2)
    gate = Gate(monkeypatch)
    with running(api.create_api(ModelStore())) as address:
        first = threading.Thread(target=post_files, args=(address, PICTURES[:1]))
        first.start()
        gate.wait_for_batches(1)
        response = post_files(address, PICTURES)
        gate.opened.set()
        first.join()
    assert problem(response, 503) == "too many lines wait; try again"
    assert response.headers["Retry-After"] == "1"


def test_the_lines_of_a_client_that_leaves_are_not_read(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, app = Gate(monkeypatch), api.create_api(ModelStore())
    with running(app) as address:
        stays = threading.Thread(target=post_files, args=(address, PICTURES[:1]))
        stays.start()
        gate.wait_for_batches(1)
        body = json.dumps({"pictures": [encode(PICTURES[0])]}).encode()
        host, port = re.findall(r"//(.*):(\d+)", address)[0]
        leaves = socket.create_connection((host, int(port)))
        head = f"POST /v1/read/base64 HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        leaves.sendall(head.encode() + body)
        wait_until(lambda: waiting(app) == [True])
        leaves.close()
        wait_until(lambda: waiting(app) == [False])
        gate.opened.set()
        stays.join()
        assert texts(post_files(address, PICTURES[:2])) != []
    assert sum(gate.batches) == 3


def test_lines_of_several_requests_are_one_batch(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, app = Gate(monkeypatch), api.create_api(ModelStore())
    with running(app) as address:
        threads = [threading.Thread(target=post_files, args=(address, PICTURES[:1])) for _ in range(4)]
        threads[0].start()
        gate.wait_for_batches(1)
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: waiting(app) == [True] * 3)
        gate.opened.set()
        for thread in threads:
            thread.join()
    assert gate.batches == [1, 3]


def test_what_goes_wrong_inside_is_no_traceback_for_the_client(
    app: FastAPI, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(app.state.service._batcher, "_work", fail)
    response = post_files(address, PICTURES[:1])
    assert response.status_code == 500
    assert "secret" not in response.text
