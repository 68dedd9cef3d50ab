"""Limits on the size and the time of requests. A request ends with its client."""

import asyncio
from contextlib import suppress

from fastapi import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RequestLimits:
    """Refuses bodies above `max_bytes` with 413, and answers 503 after `seconds`; the work for a request stops then."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self.app, self.max_bytes, self.seconds = app, max_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(receive, send, self.max_bytes)
        answer = asyncio.ensure_future(self.app(scope, request.receive, request.send))
        left = asyncio.create_task(request.wait_until_client_leaves())
        try:
            await asyncio.wait({answer, left}, timeout=self.seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            is_late = not answer.done() and not left.done()
            left.cancel()
            answer.cancel()
            with suppress(asyncio.CancelledError):
                await answer
        if is_late and not request.is_answered:
            problem = {"detail": f"not done within {self.seconds:g} seconds; try again, or with fewer pictures"}
            await JSONResponse(problem, 503)(scope, receive, send)


class _Request:
    """Counts the bytes of a body, and looks for the end of the connection after it."""

    def __init__(self, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive, self._send, self._max_bytes = receive, send, max_bytes
        self._bytes = 0
        self._is_complete = asyncio.Event()
        self.is_answered = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._max_bytes:
            raise HTTPException(413, f"more than {self._max_bytes // 2**20} MiB; send fewer or smaller pictures")
        if not message.get("more_body"):
            self._is_complete.set()
        return message

    async def send(self, message: Message) -> None:
        self.is_answered = True
        await self._send(message)

    async def wait_until_client_leaves(self) -> None:
        await self._is_complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
