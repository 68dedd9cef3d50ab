"""Write a trained recognizer as an ONNX file, which works without this project.

    python -m pipeline export cnn_ctc_variable model.onnx
    python -m pipeline export best model.onnx --int8

docs/onnx.md says how to use the file. The command compares it with PyTorch on the test lines, if they are there, and
logs it with the MLflow run of the training.
"""

import argparse
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.files import atomic_path, file_md5, project_root
from pipeline.inference.available_models import BEST, find_models
from pipeline.settings.experiment import read_experiment

if TYPE_CHECKING:
    from pipeline.data.storage.lines import Lines
    from pipeline.tracking.exports import Origin

BATCH_SIZE = 32
"""Lines that are compared at once."""
FROM_RUN = ("experiment_key", "seed", "lines", "data", "data_md5", "git.commit")
"""Tags of a run that are copied into the metadata."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument(
        "model",
        help="a trained experiment of params.yaml, a checkpoint, or `best`, as in `python -m pipeline predict`",
    )
    parser.add_argument("file", type=Path, help="the file to write, such as model.onnx")
    parser.add_argument("--seed", type=int, help="which seed of an experiment; by default the first one")
    parser.add_argument("--int8", action="store_true", help="int8 weights of matrix products and LSTMs: a smaller file")


def main(model: str, file: Path, seed: int | None, int8: bool) -> None:
    """Write the file, compare it and log it."""
    from pipeline.export.packages import require_packages

    if file.suffix != ".onnx" or file.is_dir():
        raise InputError(f"{file}: the name of the file to write must end in .onnx")
    require_packages()
    checkpoint, facts = find_checkpoint(model, seed)
    from pipeline.export.compare import compare, require_equal
    from pipeline.export.onnx_file import add_metadata, quantize, write_graph
    from pipeline.models.checkpoint import load_checkpoint
    from pipeline.tracking.exports import find_origin

    settings, recognizer = load_checkpoint(checkpoint)
    origin = find_origin(checkpoint, facts.get("experiment_key"))
    facts = {**_run_facts(origin), **facts, "checkpoint_md5": file_md5(checkpoint)}
    lines = _test_lines(facts.get("lines"), settings.height)
    with tempfile.TemporaryDirectory() as folder, atomic_path(file) as partial:
        plain = Path(folder) / "fp32.onnx" if int8 else partial
        write_graph(plain, recognizer)
        require_equal(plain, recognizer)
        files = {"fp32": plain}
        if int8:
            quantize(plain, partial)
            files["int8"] = partial
        facts["precision"] = list(files)[-1]
        if lines:
            torch_cer, results = compare(files, recognizer, lines, batch_size=BATCH_SIZE)
            facts["test_cer"] = f"{results[facts['precision']].cer:.6f}"
        add_metadata(partial, settings, recognizer, facts)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, {facts['precision']}")
    if lines:
        print(f"CER on the {len(lines):,} test lines of {paths.lines(facts['lines'])}:")
        print(f"  PyTorch  {torch_cer:.2%}")
        for name, result in results.items():
            print(
                f"  {name:<7}  {result.cer:.2%}; {result.different} lines are read otherwise, "
                f"logits differ by at most {result.difference:.1g}"
            )
    if origin and origin.log_file(file):
        print(f"logged with the MLflow run {origin.run_id}")


def find_checkpoint(model: str, seed: int | None) -> tuple[Path, dict[str, str]]:
    """The checkpoint that the argument names, and what it says about its origin.

    Raises:
        InputError: there is no such experiment or seed, or no registered model.
    """
    is_file = Path(model).suffix == ".ckpt" or Path(model).is_file()
    if seed is not None and (model == BEST or is_file):
        raise InputError(f"--seed: only for an experiment of params.yaml, not for {model}")
    if model == BEST:
        return find_models(project_root())[0].path, {}
    if is_file:
        return Path(model), {}
    experiment, training = read_experiment(model)
    if seed is None:
        seed = training.seeds[0]
    elif seed not in training.seeds:
        raise InputError(f"--seed: {model} has the seeds {', '.join(map(str, training.seeds))}, not {seed}")
    return paths.checkpoint(model, seed), {"experiment_key": model, "seed": str(seed), "lines": experiment.lines}


def _run_facts(origin: "Origin | None") -> dict[str, str]:
    facts = {"version": version("emnist-lines")}
    if origin:
        facts |= {name: origin.tags[name] for name in FROM_RUN if name in origin.tags}
        facts["mlflow_run"] = origin.run_id
    return facts


def _test_lines(name: str | None, height: int) -> "Lines | None":
    """The test lines of the data set, if it is here and fits the model."""
    from pipeline.data.storage.line_store import read_lines

    if not name or not paths.lines(name).exists():
        return None
    lines = read_lines(paths.lines(name), "test")
    return lines if lines.images.shape[1] == height else None
