import errno
import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.__main__ import main
from pipeline.common.errors import InputError, exit_on_input_error
from pipeline.data.pictures.line import trim_columns
from pipeline.data.transcriptions.draw import draw_ink
from pipeline.data.transcriptions.layout import PageLayout, read_layout
from pipeline.data.transcriptions.pages import read_pages
from pipeline.data.transcriptions.write_texts import PredictedText, write_texts
from pipeline.inference.batches import load_recognizer
from pipeline.models.checkpoint import save_checkpoint
from pipeline.settings.own_lines import OwnLinesSettings, SplitParts
from tests.data.transcriptions.drawn import alto, draw_page, page_xml
from tests.tiny import FP32, read_alone, tiny_settings

LINES = [("", [(20, 50), (300, 50)]), ("old", [(20, 120), (100, 130)]), ("", [(20, 200), (350, 190)])]
PARTS = SplitParts(by="split", validation=0.2, test=0.2, seed=1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint, a line as the data sets have it and dark on light in twice the size, and pages in both formats."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setattr("pipeline.inference.predictors.choose_compute_config", lambda *_: FP32)
    torch.manual_seed(0)
    settings = tiny_settings("line_cnn", max_length=200)
    recognizer = settings.build()
    with torch.no_grad():  # fresh weights predict the same for most lines; larger ones do not
        for parameter in recognizer.model.parameters():
            parameter.mul_(2)
    save_checkpoint(tmp_path / "own.ckpt", settings, recognizer)
    pixels = draw_line_of_bars()
    Image.fromarray(pixels).save("light.png")
    Image.fromarray(255 - pixels.repeat(2, axis=0).repeat(2, axis=1)).save("dark.png")
    for name, form in (("alto", alto), ("page", page_xml)):
        Path(name).mkdir()
        draw_page(Path(name, f"{name}.png"), [baseline for _, baseline in LINES])
        Path(name, f"{name}.xml").write_text(form(f"{name}.png", LINES), encoding="utf-8")
    return tmp_path


def draw_line_of_bars() -> np.ndarray:
    """A line image (28, 160) with the height of characters that EMNIST's have."""
    pixels = np.zeros((28, 160), np.uint8)
    pixels[2:26, 20:140:8] = pixels[2:26, 21:140:8] = pixels[8:11, 20:60] = 255
    return pixels


def run(*arguments: str) -> None:
    exit_on_input_error(lambda: main(["predict", "--model", "own.ckpt", *arguments]))


def fail(*arguments: str) -> None:
    with pytest.raises(SystemExit) as error:
        run(*arguments)
    assert error.value.code == 2


def imported(folder: Path) -> list[tuple[str, np.ndarray]]:
    """The texts and images of a folder's lines, as `import_lines` has them."""
    lines = read_pages(OwnLinesSettings(format="pages", path=".", parts=PARTS), folder)
    return [(line.text, draw_ink(line.draw(28))) for line in lines]


def expected(folder: Path) -> list[str]:
    """The predictions for a folder's lines."""
    texts = read_alone(load_recognizer(Path("own.ckpt")), [image for _, image in imported(folder)])
    assert len(set(texts)) == len(LINES)
    return texts


def test_a_picture_is_read_as_the_line_that_it_shows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = read_alone(load_recognizer(folder / "own.ckpt"), [trim_columns(draw_line_of_bars())])
    run("light.png")
    assert capsys.readouterr().out == f"{text}\n"
    run("light.png", "dark.png")
    assert capsys.readouterr().out == f"light.png: {text}\ndark.png: {text}\n"


@pytest.mark.usefixtures("folder")
def test_the_lines_of_a_page_are_printed_in_the_order_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    texts = expected(Path("alto"))
    run("alto/alto.xml")
    assert capsys.readouterr().out.splitlines() == texts
    run("alto/alto.xml", "page/page.xml")
    lines = [f"{name}: {text}" for name in ("alto/alto.xml", "page/page.xml") for text in texts]
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("name", "text_path"), [("alto", "String"), ("page", "TextEquiv/{*}Unicode")])
def test_texts_are_written_into_a_copy_that_is_read_again(name: str, text_path: str) -> None:
    page, texts = Path(name, f"{name}.xml"), expected(Path(name))
    before = page.read_bytes()
    run("--format", "xml", "--output", "read", str(page))
    assert page.read_bytes() == before
    assert list(Path("read").iterdir()) == [Path("read", page.name)]  # no partial file stays
    root = ElementTree.parse(Path("read", page.name)).getroot()
    found = [
        " ".join(part.get("CONTENT") or part.text or "" for part in line.findall(f"{{*}}{text_path}"))
        for line in root.findall(".//{*}TextLine")
    ]
    normal = [" ".join(text.split()) for text in texts]
    assert [" ".join(text.split()) for text in found] == normal
    Path(name, f"{name}.png").rename(Path("read", f"{name}.png"))
    assert [" ".join(text.split()) for text, _ in imported(Path("read"))] == normal


@pytest.mark.usefixtures("folder")
def test_a_page_is_overwritten_only_if_asked() -> None:
    page = Path("page/page.xml")
    run("--format", "xml", "--output", "read", str(page))
    link = Path("link.xml")
    link.symlink_to(page)
    Path("page.png").symlink_to("page/page.png")
    run("--format", "xml", "--in-place", "link.xml")
    assert link.is_symlink()
    assert page.read_bytes() == Path("read/page.xml").read_bytes()


@pytest.mark.usefixtures("folder")
def test_one_page_is_printed_as_xml(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    run("--format", "xml", "--output", "read", "alto/alto.xml")
    run("--format", "xml", "alto/alto.xml")
    assert capfdbinary.readouterr().out == Path("read/alto.xml").read_bytes()


@pytest.mark.usefixtures("folder")
def test_one_bad_page_among_many_is_named_and_the_others_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.xml").write_text("<html/>")
    Path("alone.xml").write_text(alto("nowhere.png", LINES))
    fail("--format", "json", "bad.xml", "alto/alto.xml", "alone.xml", "light.png", "none.png")
    output = capsys.readouterr()
    assert [document["page"] for document in json.loads(output.out)] == ["alto/alto.xml", "light.png"]
    assert [line["text"] for line in json.loads(output.out)[0]["lines"]] == expected(Path("alto"))
    bad, alone, none = output.err.splitlines()
    assert bad.startswith("error: bad.xml: the root element is 'html'")
    assert alone == "error: alone.xml: has no image; expected nowhere.png beside it"
    assert none == "error: none.png: no such file"


@pytest.mark.usefixtures("folder")
def test_json_is_a_list_even_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    fail("--format", "json", "none.png")
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.usefixtures("folder")
def test_each_input_has_a_file_in_the_output_folder(capsys: pytest.CaptureFixture[str]) -> None:
    run("--output", "new/read", "alto/alto.xml", "light.png")
    run("--output", "new/read", "--format", "json", "alto/alto.xml", "light.png")
    assert capsys.readouterr().out == ""
    assert Path("new/read/alto.txt").read_text(encoding="utf-8").splitlines() == expected(Path("alto"))
    (line,) = json.loads(Path("new/read/light.json").read_text(encoding="utf-8"))["lines"]
    assert Path("new/read/light.txt").read_text(encoding="utf-8") == f"{line['text']}\n"
    assert len(list(Path("new/read").iterdir())) == 4


@pytest.mark.usefixtures("folder")
def test_lines_without_an_outline_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path("alto/alto.xml")
    unplaced = '<TextLine ID="x"><String CONTENT="kept"/></TextLine>'
    page.write_text(page.read_text().replace("<TextLine", f"{unplaced}<TextLine", 1))
    run("--format", "xml", "--output", "read", str(page))
    assert capsys.readouterr().err == "alto/alto.xml: 1 line(s) without an outline that can be read\n"
    assert unplaced in Path("read/alto.xml").read_text()


@pytest.mark.usefixtures("folder")
def test_a_page_that_may_not_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def deny(path: Path) -> PageLayout:
        if path.stem == "alto":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read_layout(path)

    monkeypatch.setattr("pipeline.inference.documents.read_layout", deny)
    fail("alto/alto.xml", "page/page.xml")
    output = capsys.readouterr()
    assert output.err.startswith("error: alto/alto.xml: Permission denied")
    assert output.out.count("page/page.xml: ") == len(LINES)


@pytest.mark.usefixtures("folder")
def test_a_page_that_cannot_be_written_into_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path, texts: Sequence[PredictedText | None]) -> bytes:
        if path.stem == "alto":
            raise InputError(f"{path}: not valid XML")
        return write_texts(path, texts)

    monkeypatch.setattr("pipeline.data.transcriptions.write_texts.write_texts", refuse)
    fail("--format", "xml", "--output", "read", "alto/alto.xml", "page/page.xml")
    assert capsys.readouterr().err == "error: alto/alto.xml: not valid XML\n"
    assert [path.name for path in Path("read").iterdir()] == ["page.xml"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("none.png",), "none.png: no such file"),
        (("--model", "none.ckpt", "light.png"), "none.ckpt: no such checkpoint"),
        (("own.ckpt",), "own.ckpt: not a picture"),
        (
            ("--model", "best", "light.png"),
            "there is no model yet; make some with `make demo` or",
        ),
        (("alto",), "alto: is a folder; name the files in it"),
        (("--in-place", "alto/alto.xml"), "--in-place overwrites pages with --format xml"),
        (("--in-place", "--format", "xml", "--output", "o", "alto/alto.xml"), "--in-place overwrites pages"),
        (("--format", "xml", "light.png"), "light.png: has no XML to write into; use --format text or json"),
        (("--format", "xml", "alto/alto.xml", "page/page.xml"), "--format xml prints one page; for several, name a"),
        (("--output", "own.ckpt", "light.png"), "--output own.ckpt: is a file; name a folder"),
        (("--format", "xml", "--output", "alto", "alto/alto.xml"), "alto/alto.xml: would overwrite an input"),
        (("--output", "o", "alto/alto.png", "alto/alto.xml"), "o/alto.txt: would be written for alto/alto.png and for"),
    ],
)
def test_an_error_is_one_line(arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    fail(*arguments)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {reason}")
    assert not Path("o").exists()
