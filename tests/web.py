"""A local web server with scripted answers for each path."""

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        web = self.server.web
        web.log.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        answers = web.answers.get(self.path, [status(404)])
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def reply(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@dataclass
class Web:
    """`answers` of each path are used in order, and the last one repeats; `log` holds (path, Range, If-Range)."""

    address: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    log: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    def serve(self, path: str, *answers: Answer) -> str:
        """Give these answers for `path`, in order; return its address."""
        self.answers[path] = list(answers)
        return self.address + path


class _Server(ThreadingHTTPServer):
    web: Web

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client may close the connection
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serving() -> Iterator[Web]:
    with _Server(("127.0.0.1", 0), Request) as server:
        server.web = Web(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.web
        finally:
            server.shutdown()
            thread.join()


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda request: request.reply(code, body, **headers)


def whole(content: bytes, **headers: str) -> Answer:
    """The whole content, for any requested range."""
    return status(200, content, **headers)


def resumable(content: bytes, *, etag: str | None = None, breaks_after: int | None = None) -> Answer:
    """The requested range; the connection breaks after `breaks_after` bytes."""

    def answer(request: Request) -> None:
        requested = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(requested[1]) if requested and request.headers.get("If-Range") in (None, etag) else 0
        headers = {"ETag": etag} if etag else {}
        if start >= len(content):
            return request.reply(416)
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        headers["Content_Length"] = str(len(body))
        return request.reply(206 if start else 200, body[:breaks_after], **headers)

    return answer
