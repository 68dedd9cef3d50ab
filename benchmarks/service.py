"""Load test of the readings over HTTP.

    python -m benchmarks.service
    python -m benchmarks.service --clients 8 --requests 2000 --model pretrained/ppocr

It starts `python -m pipeline app`, and sends lines to it, one picture in each request, from several clients at once. It
writes service.csv and service.md: the time of a request, lines per second, failures, and the memory of the server. The
clients run on the same machine and take a part of its time.
"""

import argparse
import http.client
import itertools
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from pipeline.app.writing import write_line
from pipeline.common.errors import exit_on_input_error
from pipeline.common.files import write_text
from pipeline.common.progress import progress_bar
from pipeline.runtime.machine import describe_machine

OUTPUT = Path("reports/studies/service")
CLIENTS, REQUESTS = (1, 8, 32), 20_000
PICTURES = 256
"""Different lines; more would only cost time to write."""
WORDS = ("the", "Quick", "brown", "fox", "jumps", "over", "13", "lazy", "Dogs", "and", "reads", "2026", "a", "Zebra")
BOUNDARY = "line"


def draw_bodies(model: str) -> list[bytes]:
    """Multipart bodies with one picture each, of 1 to 6 words."""
    rng = np.random.default_rng(0)
    fields = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\n{model}\r\n--{BOUNDARY}\r\n'
    fields += 'Content-Disposition: form-data; name="pictures"; filename="line.png"\r\n\r\n'
    bodies = []
    for seed in range(PICTURES):
        text = " ".join(rng.choice(WORDS, rng.integers(1, 7)))
        bodies.append(fields.encode() + write_line(text, seed) + f"\r\n--{BOUNDARY}--\r\n".encode())
    return bodies


class Load:
    """Sends `requests` bodies from several clients, each on one connection, as fast as they are answered."""

    def __init__(self, port: int, bodies: Sequence[bytes], clients: int, requests: int) -> None:
        self.port, self.bodies, self.requests = port, bodies, requests
        self.seconds: list[float] = []
        self.failures = 0
        self._numbers = itertools.count()
        threads = [threading.Thread(target=self._send_all) for _ in range(clients)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.total = time.perf_counter() - start

    def _send_all(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        while (number := next(self._numbers)) < self.requests:
            start = time.perf_counter()
            try:
                connection.request("POST", "/v1/read", self.bodies[number % len(self.bodies)], headers)
                response = connection.getresponse()
                response.read()
                failed = response.status != 200
            except OSError:
                failed = True
                connection.close()
            self.seconds.append(time.perf_counter() - start)
            self.failures += failed


@contextmanager
def running() -> Iterator[tuple[int, psutil.Process]]:
    """The port and the process of the server."""
    command = [sys.executable, "-m", "pipeline", "app", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        match = re.search(r":(\d+)/", server.stdout.readline())
        try:
            if match is None:
                sys.exit("benchmarks: the server did not start, see above")
            yield int(match[1]), psutil.Process(server.pid)
        finally:
            server.terminate()


def measure(
    port: int, process: psutil.Process, bodies: Sequence[bytes], clients: int, requests: int
) -> dict[str, float]:
    """Send a quarter of the requests, and then the others; memory must not grow between both ends."""
    quarter = max(1, requests // 4)
    first = Load(port, bodies, clients, quarter)
    memory = process.memory_info().rss
    rest = Load(port, bodies, clients, max(1, requests - quarter))
    p50, p99 = np.percentile(rest.seconds, [50, 99]) * 1000
    return {
        "clients": clients,
        "requests": requests,
        "failures": first.failures + rest.failures,
        "lines_per_second": len(rest.seconds) / rest.total,
        "p50_ms": p50,
        "p99_ms": p99,
        "memory_mb_at_a_quarter": memory / 2**20,
        "memory_mb_at_the_end": process.memory_info().rss / 2**20,
    }


def main() -> None:
    """Parse the command line, and measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="numbers of clients at once")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="requests with each number of clients")
    parser.add_argument("--model", default="best", help="a model of the page; by default the first one")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of service.csv and service.md")
    arguments = parser.parse_args()
    bodies = draw_bodies(arguments.model)
    start = time.perf_counter()
    with running() as (port, process):
        if Load(port, bodies, 1, 1).failures:
            sys.exit(f"benchmarks: the server refuses to read with the model {arguments.model}")
        cold = time.perf_counter() - start
        Load(port, bodies, max(arguments.clients), min(len(bodies), arguments.requests))  # every width once
        loads = progress_bar(arguments.clients, desc="service", unit="load")
        rows = [measure(port, process, bodies, clients, arguments.requests) for clients in loads]
    table = pd.DataFrame(rows).round(1)
    write_text(arguments.output / "service.csv", table.to_csv(index=False))
    write_text(arguments.output / "service.md", describe(table, arguments.model, cold))
    print(f"benchmarks: see {arguments.output / 'service.md'}")


def describe(table: pd.DataFrame, model: str, cold: float) -> str:
    """The page: what was measured, and the table."""
    columns = [
        "clients",
        "requests",
        "failures",
        "lines/s",
        "p50 (ms)",
        "p99 (ms)",
        "memory at a quarter",
        "at the end (MB)",
    ]
    rows = ["| " + " | ".join(columns) + " |", "| ---: " * len(columns) + "|"]
    rows += ["| " + " | ".join(f"{value:g}" for value in row) + " |" for row in table.to_numpy().tolist()]
    return "\n".join(
        [
            "# Readings over HTTP",
            "",
            f"Written by `python -m benchmarks.service`. Model: `{model}`. Machine: {describe_machine()}.",
            "Each request is one written line of 1 to 6 words. Clients and server share the machine.",
            f"From the start of the process to its first answer: {cold:.1f} s.",
            "",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    exit_on_input_error(main)
