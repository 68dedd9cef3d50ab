"""Speed beside other projects: reading lines, beam search and error rates.

    python -m benchmarks.others --python /path/to/kraken/bin/python --python /path/to/others/bin/python

Each other project runs in the first environment that has it; those that none has are named in the report. All take
turns, with the same number of threads, on the same lines. It writes others.csv and others.md.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jinja2 import StrictUndefined, Template
from PIL import Image
from torch import Tensor

from benchmarks import arpa, peers
from pipeline.common.errors import InputError, exit_on_input_error
from pipeline.common.files import project_root, write_text
from pipeline.common.paths import LANGUAGE_MODEL
from pipeline.common.progress import progress_bar
from pipeline.common.vocabulary import FIRST
from pipeline.data.storage.line_store import read_lines
from pipeline.data.storage.lines import Lines
from pipeline.decoding.candidates import search_predictions
from pipeline.decoding.hypotheses import SearchSettings
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.language_model.store import read_language_model
from pipeline.export.compare import OnnxModel
from pipeline.export.onnx_file import write_graph
from pipeline.inference.available_models import BEST, find_models
from pipeline.inference.line_predictions import LinePrediction, LinePredictor, load_predictor
from pipeline.inference.posteriors import compute_posteriors
from pipeline.metrics.error_rates import character_error_rate
from pipeline.models.recognizer import Recognizer
from pipeline.objectives.ctc import CTC
from pipeline.runtime.hardware import ComputeConfig
from pipeline.runtime.machine import describe_machine

OUTPUT, TEMPLATE = Path("reports/studies/others"), Path(__file__).with_name("others.md.j2")
SEARCH = SearchSettings(width=32, candidates=12, lm_weight=0.7)
TUNED = SearchSettings(width=8, candidates=12, lm_weight=0.7, length_bonus=0.5, prior_weight=0.35)
"""The middle of what `params.yaml` tries, with a narrow beam."""
PAGE_MARGIN = 4
SHORTEST_ROUND = 0.5
FP32 = ComputeConfig("cpu", bf16=False)
READING, WITH_LM, WITHOUT_LM, RATES = "reading", "beam search, 6-grams", "beam search, no language model", "error rates"
PEERS = {
    "kraken": READING,
    "rapidocr": READING,
    "flashlight-text": WITH_LM,
    "fast-ctc-decode": WITHOUT_LM,
    "jiwer": RATES,
}


@dataclass
class Contestant:
    """One way to do the work of a section."""

    section: str
    name: str
    run: Callable[[], tuple[float, list[str]]]
    """Does the work once; returns seconds and texts, or the error rate."""
    seconds: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def measure(self) -> None:
        """One round, of at least half a second."""
        spent, times = 0.0, 0
        while spent < SHORTEST_ROUND:
            seconds, self.texts = self.run()
            spent, times = spent + seconds, times + 1
        self.seconds.append(spent / times)


def timed(work: Callable[[], list[str]]) -> Callable[[], tuple[float, list[str]]]:
    """The work with its seconds."""

    def run() -> tuple[float, list[str]]:
        start = time.perf_counter()
        texts = work()
        return time.perf_counter() - start, texts

    return run


def take(lines: Lines, count: int) -> Lines:
    """The first lines."""
    chosen = np.arange(min(count, len(lines)))
    return replace(
        lines,
        images=lines.images[chosen],
        texts=lines.texts[:count],
        widths=lines.widths[chosen],
        starts=lines.starts[chosen],
        image_numbers=lines.image_numbers[chosen],
        groups=lines.groups[:count],
        pages=lines.pages[:count],
    )


def cut_images(lines: Lines) -> list[np.ndarray]:
    """The line images (H, W) without padding."""
    return [np.asarray(lines.images[i, :, :width]) for i, width in enumerate(lines.widths.tolist())]


def prepare(folder: Path, lines: Lines, recognizer: Recognizer, options: dict[str, Any]) -> LanguageModelCache:
    """Write what the peers read; return the language model that they have."""
    images = cut_images(lines)
    height, width = images[0].shape[0] + PAGE_MARGIN, max(image.shape[1] for image in images)
    page = np.zeros((height * len(images), width), np.uint8)
    boxes = []
    for number, image in enumerate(images):
        top = number * height + PAGE_MARGIN // 2
        page[top : top + image.shape[0], : image.shape[1]] = image
        boxes.append((0, top, image.shape[1], top + image.shape[0]))
    Image.fromarray(255 - page).save(folder / "page.png")
    (folder / "boxes.json").write_text(json.dumps(boxes))
    posteriors = compute_posteriors(recognizer, lines, batch_size=32, compute=FP32)
    steps = posteriors.log_probabilities.transpose(1, 2).clamp(min=-1e4).contiguous()
    steps[:, :, 1:FIRST] = -1e4  # special tokens are never written
    np.savez(folder / "steps.npz", steps=steps.numpy(), lengths=posteriors.lengths)
    vocabulary = recognizer.objective.vocabulary
    lm = arpa.shorten(read_language_model(LANGUAGE_MODEL, vocabulary), arpa.MAX_ORDER)
    arpa.write_arpa(folder / "lm.arpa", lm)
    tokens = [f"t{index}" for index in range(FIRST)] + [arpa.word(symbol) for symbol in range(lm.symbols.count)]
    options |= {"characters": vocabulary.characters, "first": FIRST, "tokens": tokens, "search": vars(SEARCH)}
    (folder / "options.json").write_text(json.dumps(options))
    return LanguageModelCache(lm)


def ours(folder: Path, lines: Lines, predictor: LinePredictor, lm: LanguageModelCache) -> Iterator[Contestant]:
    """This project's ways."""
    recognizer, images = predictor.recognizer, cut_images(lines)
    precision = "bf16" if predictor.compute.bf16 else "fp32"
    torch_version = torch.__version__.partition("+")[0]
    yield Contestant(READING, f"ours, PyTorch {torch_version}, {precision}", timed(lambda: _texts(predictor, images)))
    alone = timed(lambda: [text for image in images for text in _texts(predictor, [image])])
    yield Contestant(READING, f"ours, PyTorch {torch_version}, {precision}, one by one", alone)
    write_graph(folder / "model.onnx", recognizer)
    onnx = LinePredictor(recognizer, _onnx_decoder(folder / "model.onnx", recognizer), FP32)
    name = f"ours, onnxruntime {version('onnxruntime')}, fp32"
    yield Contestant(READING, name, timed(lambda: _texts(onnx, images)))
    posteriors = compute_posteriors(recognizer, lines, batch_size=32, compute=FP32)

    def search(settings: SearchSettings, lm: LanguageModelCache | None) -> Callable[[], tuple[float, list[str]]]:
        return timed(lambda: list(search_predictions(posteriors, settings, lm)))

    yield Contestant(WITH_LM, f"ours, width {SEARCH.width}", search(SEARCH, lm))
    yield Contestant(WITH_LM, f"ours, width {TUNED.width}, with prior and length bonus", search(TUNED, lm))
    yield Contestant(WITHOUT_LM, f"ours, width {SEARCH.width}", search(SEARCH, None))
    texts = _texts(predictor, images)
    (folder / "texts.json").write_text(json.dumps({"truths": lines.texts, "predictions": texts}))
    yield Contestant(RATES, "ours", timed(lambda: [str(character_error_rate(texts, lines.texts))]))


def _texts(predictor: LinePredictor, images: Sequence[np.ndarray]) -> list[str]:
    return [prediction.text for prediction in predictor.predict(images)]


def _onnx_decoder(path: Path, recognizer: Recognizer) -> Callable[[Tensor, Sequence[int]], list[LinePrediction]]:
    model = OnnxModel(path)

    def decode(images: Tensor, widths: Sequence[int]) -> list[LinePrediction]:
        logits, lengths = model.logits(images, widths)
        texts = recognizer.objective.texts(recognizer.objective.decode(logits, lengths))
        return [LinePrediction(text, [1.0] * len(text), range(len(text))) for text in texts]

    return decode


def start_peer(name: str, folder: Path, pythons: Sequence[str], stack: ExitStack) -> Contestant | str:
    """A peer in the first environment that has it; otherwise why it is missing."""
    reasons = []
    for python in pythons:
        log = stack.enter_context((folder / f"{name}.log").open("w+", encoding="utf-8"))
        command = [python, str(peers.__file__), name, str(folder)]
        process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        )
        assert process.stdin is not None
        assert process.stdout is not None
        stack.callback(process.stdin.close)
        if first := process.stdout.readline():
            label = f"{name} {json.loads(first)['version']}"
            return Contestant(PEERS[name], label, lambda process=process: _ask(process))  # type: ignore[misc]
        log.seek(0)
        reasons.append((log.read().strip().splitlines() or ["it ended"])[-1])
    return f"{name}: {reasons[-1]}"


def _ask(process: "subprocess.Popen[str]") -> tuple[float, list[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    return answer["seconds"], answer["texts"]


def measure(contestants: Sequence[Contestant], rounds: int) -> None:
    """All of a section take turns; the first round warms up."""
    for number in progress_bar(range(rounds + 1), desc="rounds", unit="round"):
        for contestant in contestants:
            contestant.measure()
            if number == 0:
                contestant.seconds.clear()


def make_table(contestants: Sequence[Contestant], texts: Sequence[str]) -> pd.DataFrame:
    """Columns section, who, lines_per_second, slowest, fastest, cer (a fraction)."""
    rows = []
    for one in contestants:
        rates = [len(texts) / seconds for seconds in one.seconds]
        cer = float(one.texts[0]) if one.section == RATES else character_error_rate(one.texts, texts)
        total = len(rates) * len(texts) / sum(one.seconds)
        rows.append((one.section, one.name, total, min(rates), max(rates), cer))
    return pd.DataFrame(rows, columns=["section", "who", "lines_per_second", "slowest", "fastest", "cer"])


def write_report(table: pd.DataFrame, folder: Path, **facts: object) -> None:
    """Write both files."""
    write_text(folder / "others.csv", table.to_csv(index=False, float_format="%.4g", lineterminator="\n"))
    template = Template(TEMPLATE.read_text(encoding="utf-8"), undefined=StrictUndefined, keep_trailing_newline=True)
    sections = [(name, rows.to_dict("records")) for name, rows in table.groupby("section", sort=False)]
    write_text(folder / "others.md", template.render(sections=sections, machine=describe_machine(), **facts))


def main() -> None:
    """Parse the command line, and measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.others", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", action="append", default=[], help="an environment's Python; may be repeated")
    parser.add_argument("--kraken-model", type=Path, help="a trained model; without one, kraken has new weights")
    parser.add_argument("--model", default=BEST, help="a checkpoint of a CTC model; by default the best one")
    parser.add_argument("--lines", type=Path, default=Path("data/lines/variable.h5"), help="its test lines are read")
    parser.add_argument("--count", type=int, default=300, help="lines")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of others.csv and others.md")
    arguments = parser.parse_args()
    path = find_models(project_root())[0].path if arguments.model == BEST else Path(arguments.model)
    predictor, stored = load_predictor(path), read_lines(arguments.lines, "test")
    if not isinstance(predictor.recognizer.objective, CTC):
        raise InputError(f"{path}: is not a CTC model; name one with --model")
    lines = take(stored, arguments.count)
    kraken_model = str(arguments.kraken_model.resolve()) if arguments.kraken_model else None
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, options = Path(name), {"threads": torch.get_num_threads(), "kraken_model": kraken_model}
        lm = prepare(folder, lines, predictor.recognizer, options)
        contestants = list(ours(folder, lines, predictor, lm))
        started = [start_peer(peer, folder, [sys.executable, *arguments.python], stack) for peer in PEERS]
        contestants += [peer for peer in started if isinstance(peer, Contestant)]
        missing = [peer for peer in started if isinstance(peer, str)]
        for section in dict.fromkeys(PEERS.values()):
            measure([one for one in contestants if one.section == section], arguments.rounds)
        contestants.sort(key=lambda one: list(dict.fromkeys(PEERS.values())).index(one.section))
    write_report(
        make_table(contestants, lines.texts),
        arguments.output,
        missing=missing,
        count=len(lines),
        rounds=arguments.rounds,
        model=path.parent.name if path.stem.startswith("seed_") else path.stem,
        untrained=kraken_model is None,
        search=SEARCH,
        command=f"python -m benchmarks.others {shlex.join(_public(sys.argv[1:]))}".strip(),
    )
    print(f"benchmarks: see {arguments.output / 'others.md'}")


def _public(arguments: Sequence[str]) -> list[str]:
    """Without the places of environments and models on this machine."""
    return [word if "/" not in word or not Path(word).is_absolute() else Path(word).name for word in arguments]


if __name__ == "__main__":
    exit_on_input_error(main)
