"""The HTTP interface below /v1: pictures of lines to readings."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI, File, Form, HTTPException, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pipeline.app.batching import BusyError
from pipeline.app.limits import RequestLimits
from pipeline.app.models import ModelStore
from pipeline.app.service import PictureReading, ReadingService
from pipeline.common.errors import InputError
from pipeline.inference.available_models import BEST
from pipeline.inference.model_input import decode_base64

MAX_PICTURES = 64
MAX_BYTES = 32 * 2**20
SECONDS = 30.0
HOSTS = ["127.0.0.1", "localhost"]
"""Names by which the server is called. A page of another name that leads here is refused (DNS rebinding)."""


class Problem(BaseModel):
    """What is wrong with a request, in one line."""

    detail: str


class ReadRequest(BaseModel):
    """Pictures to read."""

    pictures: Annotated[list[str], Field(min_length=1, max_length=MAX_PICTURES)]
    """Picture files in base64, also as data URIs."""
    model: str = BEST
    """A name from `/v1/models`."""
    details: bool = False
    """Whether to answer with the likeliest readings, that with the language model, and the steps."""


class ReadAnswer(BaseModel):
    """A result for each picture, in the order of the request."""

    results: list[PictureReading]


class ModelAnswer(BaseModel):
    """A model of the workspace."""

    name: str
    test_cer: float | None
    is_best: bool


PROBLEMS: dict[int | str, dict[str, object]] = {
    413: {"model": Problem, "description": f"More than {MAX_BYTES // 2**20} MiB."},
    422: {"model": Problem, "description": "Bad input; no picture could be read."},
    503: {"model": Problem, "description": "Too many lines wait, or the answer takes too long."},
}
router = APIRouter(prefix="/v1", responses=PROBLEMS)


def create_api(store: ModelStore) -> FastAPI:
    """The application; the models of `store` read."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with ReadingService(store) as app.state.service:
            yield

    # Its pages of documentation would load scripts from elsewhere; /openapi.json has the schema.
    app = FastAPI(title="emnist-lines", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(router)
    app.add_middleware(RequestLimits, max_bytes=MAX_BYTES, seconds=SECONDS)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    app.add_exception_handler(InputError, _answer_input_error)
    app.add_exception_handler(RequestValidationError, _answer_bad_request)
    app.add_exception_handler(ExceptionGroup, _answer_busy)
    return app


@router.get("/health")
def health() -> dict[str, str]:
    """Whether the server answers."""
    return {"status": "ok"}


@router.get("/models")
async def models(request: Request) -> list[ModelAnswer]:
    """The models that can read, the one to use by default first."""
    found = await _service(request).models()
    return [ModelAnswer(name=m.name, test_cer=m.test_cer, is_best=m.is_best) for m in found]


@router.post("/read")
async def read_files(
    request: Request,
    pictures: Annotated[list[UploadFile], File(description="Picture files.")],
    model: Annotated[str, Form()] = BEST,
    details: Annotated[bool, Form()] = False,
) -> ReadAnswer:
    """Read picture files: one line each, or a page where the line detector is installed."""
    if len(pictures) > MAX_PICTURES:
        raise InputError(f"pictures: {len(pictures)} are too many; send at most {MAX_PICTURES}")
    named = [(picture.filename or f"picture {number}", await picture.read()) for number, picture in enumerate(pictures)]
    return _answer(await _service(request).read(named, model, details))


@router.post("/read/base64")
async def read_base64(request: Request, body: ReadRequest) -> ReadAnswer:
    """As `/v1/read`, for pictures in base64."""
    named = [(f"picture {number}", _decode(text, f"picture {number}")) for number, text in enumerate(body.pictures)]
    return _answer(await _service(request).read(named, body.model, body.details))


def _service(request: Request) -> ReadingService:
    service: ReadingService = request.app.state.service
    return service


def _decode(text: str, name: str) -> bytes | InputError:
    content = decode_base64(text)
    return InputError(f"{name}: not base64") if content is None else content


def _answer(results: Sequence[PictureReading]) -> ReadAnswer:
    """The results, unless there is no reading among them."""
    if all(result.error for result in results):
        raise HTTPException(422, results[0].error)
    return ReadAnswer(results=list(results))


async def _answer_input_error(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 422)


async def _answer_bad_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return JSONResponse({"detail": f"{place}: {first['msg']}"}, 422)


async def _answer_busy(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ExceptionGroup)
    if error.subgroup(BusyError) is None:
        raise error
    return JSONResponse({"detail": "too many lines wait; try again"}, 503, {"Retry-After": "1"})
