"""The page to try models on, and the pictures that it offers."""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel
from starlette.staticfiles import StaticFiles

from pipeline.app.writing import Example, examples, write_line

STATIC = Path(__file__).with_name("static")
router = APIRouter(prefix="/page", include_in_schema=False)


class ExampleAnswer(BaseModel):
    """An example: where its picture is, and what it says."""

    picture: str
    text: str


def add_page(app: FastAPI) -> None:
    """Serve the page at `/`. It reads through the API."""
    app.include_router(router)
    app.mount("/", StaticFiles(directory=STATIC, html=True))


@router.get("/examples")
def list_examples() -> list[ExampleAnswer]:
    """Pictures to click."""
    return [ExampleAnswer(picture=f"page/examples/{n}.png", text=one.text) for n, one in enumerate(examples())]


@router.get("/examples/{number}.png")
def example_picture(number: int) -> Response:
    """One of these pictures."""
    shown: list[Example] = examples()
    return _png(shown[number].png) if 0 <= number < len(shown) else Response(status_code=404)


@router.get("/write.png")
def written_picture(text: str, seed: int = 0) -> Response:
    """A text, written in the characters of the workspace; another seed takes others of them."""
    return _png(write_line(text, abs(seed)))


def _png(content: bytes) -> Response:
    return Response(content, media_type="image/png", headers={"Cache-Control": "no-store"})
