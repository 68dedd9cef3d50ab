import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.__main__ import main
from pipeline.commands import export
from pipeline.common import paths
from pipeline.common.errors import exit_on_input_error
from pipeline.common.files import file_md5
from pipeline.inference.batches import load_recognizer
from pipeline.models.checkpoint import save_checkpoint
from pipeline.tracking.start import create_run
from pipeline.tracking.store import open_store
from tests.imports import ROOT
from tests.tiny import read_alone, tiny_lines, tiny_settings


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph of the checkpoint, which takes seconds to trace."""
    for name in ("onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="the extra `onnx` is not installed")
    from pipeline.export.onnx_file import write_graph

    torch.manual_seed(0)
    recognizer = tiny_settings("line_cnn").build()
    recognizer.model.eval()
    write_graph(path := tmp_path_factory.mktemp("graph") / "a.onnx", recognizer)
    return path


@pytest.fixture
def _traced(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.export.onnx_file.write_graph", lambda path, recognizer: shutil.copy(graph, path))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint, and settings that have it as an experiment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    torch.manual_seed(0)
    settings = tiny_settings("line_cnn")
    save_checkpoint(tmp_path / "own.ckpt", settings, recognizer := settings.build())
    save_checkpoint(paths.checkpoint("cnn_ctc_variable", 42), settings, recognizer)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path


def run(*arguments: str) -> None:
    exit_on_input_error(lambda: main(["export", *arguments]))


@pytest.mark.usefixtures("_traced")
def test_the_program_of_the_page_reads_pictures_as_pytorch_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("own.ckpt", "model.onnx")
    assert re.fullmatch(r"model\.onnx: 0\.\d MB, fp32\n", capsys.readouterr().out)
    assert not (folder / "mlflow.db").exists()
    page = (ROOT / "docs/onnx.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    lines = tiny_lines(["hi B", "a, longer"], max_length=16)
    names = []
    for number, width in enumerate(lines.widths.tolist()):
        names.append(f"{number}.png")
        Image.fromarray(255 - np.asarray(lines.images[number, :, :width])).resize((2 * width, 56)).save(names[-1])
    monkeypatch.setattr(sys, "argv", ["read.py", *names])
    values: dict[str, Any] = {}
    exec(program, values)  # noqa: S102
    shown = capsys.readouterr().out.splitlines()
    assert shown == read_alone(load_recognizer(folder / "own.ckpt"), [values["load"](name) for name in names])
    assert any(shown)


@pytest.mark.usefixtures("_traced", "folder")
def test_test_lines_are_read_with_both_and_the_run_gets_the_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    store = open_store()
    with create_run(store, "cnn_ctc_variable", {}, {"git.commit": "abc"}) as made:
        made.mark_complete(file_md5(paths.checkpoint("cnn_ctc_variable", 42)))
    monkeypatch.setattr(export, "_test_lines", lambda name, height: tiny_lines(["hi B", "it", "a"]))
    run("cnn_ctc_variable", "made/model.onnx", "--int8")
    size, title, pytorch, fp32, int8, logged = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"made/model\.onnx: 0\.\d MB, int8", size)
    assert title == "CER on the 3 test lines of data/lines/variable.h5:"
    cer = pytorch.removeprefix("  PyTorch  ")
    assert re.fullmatch(rf"  fp32     {cer}; 0 lines are read otherwise, logits differ by at most \de-0[5-9]", fp32)
    assert re.fullmatch(r"  int8     \d+\.\d\d%; \d lines are read otherwise, logits differ by at most 0\.\d+", int8)
    assert logged == f"logged with the MLflow run {made.id}"
    assert [file.path for file in store.client.list_artifacts(made.id)] == ["model.onnx"]
    facts = onnxruntime.InferenceSession("made/model.onnx").get_modelmeta().custom_metadata_map
    expected = {"experiment_key": "cnn_ctc_variable", "seed": "42", "lines": "variable", "precision": "int8"}
    expected |= {"git.commit": "abc", "mlflow_run": made.id}
    assert {key: facts[key] for key in expected} == expected
    assert f"{float(facts['test_cer']):.2%}" == int8.split()[1].rstrip(";")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("own.ckpt", "model.txt"), r"model\.txt: the name of the file to write must end in \.onnx"),
        (("none.ckpt", "a.onnx"), r"none\.ckpt: no such checkpoint"),
        (
            ("cnn_ctc_variabel", "a.onnx"),
            r"params\.yaml: experiments\.cnn_ctc_variabel: .*did you mean cnn_ctc_variable",
        ),
        (("cnn_ctc_matched", "a.onnx"), r"models/cnn_ctc_matched/seed_42\.ckpt: no such checkpoint"),
        (("cnn_ctc_variable", "a.onnx", "--seed", "7"), "--seed: cnn_ctc_variable has the seeds 42, not 7"),
        (("own.ckpt", "a.onnx", "--seed", "42"), "--seed: only for an experiment of params.yaml, not for own.ckpt"),
    ],
)
def test_an_error_is_one_line(
    arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.export.packages.PACKAGES", ())
    with pytest.raises(SystemExit) as error:
        run(*arguments)
    assert error.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(f"error: {reason}", line)
    assert not Path("a.onnx").exists()


@pytest.mark.usefixtures("folder")
def test_without_the_packages_the_advice_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.export.packages.PACKAGES", ("no_such_package",))
    with pytest.raises(SystemExit):
        run("own.ckpt", "a.onnx")
    shown = capsys.readouterr().err
    assert shown.startswith("error: export needs the package no_such_package, which is not installed; pip install ")
