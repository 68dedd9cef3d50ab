"""The load test, with a server that answers at once."""

import pandas as pd
import psutil

from benchmarks import service
from tests.web import Web, status

ANSWER = b'{"results": []}'


def port(web: Web) -> int:
    return int(web.address.rpartition(":")[2])


def test_bodies_are_multipart_with_the_model_and_a_picture() -> None:
    first, second, *_ = service.draw_bodies("some_model")
    assert first != second
    assert b'name="model"\r\n\r\nsome_model\r\n' in first
    assert b"\x89PNG" in first
    assert first.endswith(b"\r\n--line--\r\n")


def test_every_request_is_timed_and_failures_are_counted(web: Web) -> None:
    web.serve("/v1/read", status(200, ANSWER), status(503, b"{}"), status(200, ANSWER))
    load = service.Load(port(web), [b"body"], clients=1, requests=5)
    assert len(load.seconds) == 5
    assert load.failures == 1


def test_a_server_that_does_not_answer_is_a_failure() -> None:
    assert service.Load(9, [b"body"], clients=2, requests=4).failures == 4


def test_a_level_has_its_rates_and_the_memory_at_both_ends(web: Web) -> None:
    web.serve("/v1/read", status(200, ANSWER))
    row = service.measure(port(web), psutil.Process(), [b"body"], clients=3, requests=8)
    assert (row["clients"], row["requests"], row["failures"]) == (3, 8, 0)
    assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert row["memory_mb_at_the_end"] > 10
    page = service.describe(pd.DataFrame([row]).round(1), "best", 4.25)
    assert "Model: `best`." in page
    assert "its first answer: 4.2 s" in page
    assert len(page.splitlines()[-1].split("|")) == 10
