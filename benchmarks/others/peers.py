"""Runs code of other projects in their own environments: `PYTHON benchmarks/others/peers.py NAME FOLDER`.

It imports nothing of this project. First it prints its version; then, for each line of its input, it does the work once
and prints its seconds and results. Each printed line is JSON.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

Work = Callable[[], list[str]]
KRAKEN_SPEC = (
    "[1,120,0,1 Cr3,13,32 Do0.1,2 Mp2,2 Cr3,13,32 Do0.1,2 Mp2,2 Cr3,9,64 Do0.1,2 Mp2,2 Cr3,9,64 Do0.1,2 S1(1x0)1,3 "
    "Lbx200 Do0.1,2 Lbx200 Do0.1,2 Lbx200 Do O1c{classes}]"
)
"""kraken's default network."""
BLANK = 0


def kraken(folder: Path, options: dict[str, Any]) -> Work:
    """Read a page whose lines are given as boxes; without a model, the default network with new weights."""
    models, containers, configs, tasks, lib = map(
        importlib.import_module,
        ("kraken.models", "kraken.containers", "kraken.configs", "kraken.tasks", "kraken.lib.codec"),
    )
    image = importlib.import_module("PIL.Image").open(folder / "page.png")
    boxes = json.loads((folder / "boxes.json").read_text())
    lines = [containers.BBoxLine(id=str(number), bbox=tuple(box)) for number, box in enumerate(boxes)]
    page = containers.Segmentation("bbox", "page.png", "horizontal-lr", False, lines=lines)
    if options["kraken_model"]:
        model = tasks.RecognitionTaskModel.load_model(options["kraken_model"])
    else:
        codec = lib.PytorchCodec(options["characters"])
        spec = KRAKEN_SPEC.format(classes=codec.max_label + 1)
        net = models.create_model("TorchVGSLModel", vgsl=spec, model_type="recognition", one_channel_mode="L")
        net.seg_type = "bbox"
        net.add_codec(codec)
        model = tasks.RecognitionTaskModel([net])
    config = configs.RecognitionInferenceConfig(
        accelerator="cpu", batch_size=32, num_threads=options["threads"], num_line_workers=0
    )
    return lambda: [record.prediction for record in model.predict(image, page, config)]


def rapidocr(folder: Path, options: dict[str, Any]) -> Work:
    """Recognize pictures of lines one by one, as the package comes."""
    numpy, image = importlib.import_module("numpy"), importlib.import_module("PIL.Image")
    settings = {"Global.log_level": "critical", "EngineConfig.onnxruntime.intra_op_num_threads": options["threads"]}
    engine = importlib.import_module("rapidocr").RapidOCR(params=settings)
    page = image.open(folder / "page.png").convert("RGB")
    boxes = json.loads((folder / "boxes.json").read_text())
    pictures = [numpy.asarray(page.crop(box)) for box in boxes]

    def read() -> list[str]:
        found = [engine(picture, use_det=False, use_cls=False, use_rec=True).txts for picture in pictures]
        return ["".join(texts or ()) for texts in found]

    return read


def flashlight(folder: Path, options: dict[str, Any]) -> Work:
    """Beam search with an n-gram model in ARPA format."""
    numpy, decoder = importlib.import_module("numpy"), importlib.import_module("flashlight.lib.text.decoder")
    lms = importlib.import_module("flashlight.lib.text.decoder.kenlm")
    dictionary = importlib.import_module("flashlight.lib.text.dictionary").Dictionary(options["tokens"])
    search = options["search"]
    settings = decoder.LexiconFreeDecoderOptions(
        beam_size=search["width"],
        beam_size_token=search["candidates"],
        beam_threshold=1e4,
        lm_weight=search["lm_weight"] * numpy.log(10).item(),  # KenLM's scores are common logarithms
        sil_score=0.0,
        log_add=True,
        criterion_type=decoder.CriterionType.CTC,
    )
    lm = lms.KenLM(str(folder / "lm.arpa"), dictionary)
    beam = decoder.LexiconFreeDecoder(settings, lm, 1, BLANK, [])
    stored = numpy.load(folder / "steps.npz")
    lines = [steps[:length].copy() for steps, length in zip(stored["steps"], stored["lengths"], strict=True)]

    def read() -> list[str]:
        found = [beam.decode(steps.ctypes.data, *steps.shape)[0].tokens for steps in lines]
        merged = [[token for token, _ in groupby(tokens) if token >= options["first"]] for tokens in found]
        return ["".join(options["characters"][token - options["first"]] for token in tokens) for tokens in merged]

    return read


def fast_ctc_decode(folder: Path, options: dict[str, Any]) -> Work:
    """Beam search without a language model."""
    numpy, library = importlib.import_module("numpy"), importlib.import_module("fast_ctc_decode")
    first = options["first"]
    stored = numpy.load(folder / "steps.npz")
    used = numpy.exp(numpy.delete(stored["steps"], numpy.arange(1, first), axis=2)).astype(numpy.float32)
    lines = [steps[:length].copy() for steps, length in zip(used, stored["lengths"], strict=True)]
    alphabet, width = ["", *options["characters"]], options["search"]["width"]
    return lambda: [library.beam_search(steps, alphabet, beam_size=width)[0] for steps in lines]


def jiwer(folder: Path, options: dict[str, Any]) -> Work:
    """The character error rate of all lines."""
    library = importlib.import_module("jiwer")
    texts = json.loads((folder / "texts.json").read_text())
    return lambda: [str(library.cer(texts["truths"], texts["predictions"]))]


def synthtiger(folder: Path, options: dict[str, Any]) -> Work:
    """Write all texts with a font: the first layer of its pictures, without any effect."""
    layers = importlib.import_module("synthtiger.layers")

    def write() -> list[str]:
        for text in options["texts"]:
            layers.TextLayer(text, options["font"], 24, (0, 0, 0, 255)).output()
        return []

    return write


PEERS: dict[str, tuple[Callable[[Path, dict[str, Any]], Work], str]] = {
    "kraken": (kraken, "kraken"),
    "rapidocr": (rapidocr, "rapidocr"),
    "flashlight-text": (flashlight, "flashlight-text"),
    "fast-ctc-decode": (fast_ctc_decode, "fast-ctc-decode"),
    "jiwer": (jiwer, "jiwer"),
    "synthtiger": (synthtiger, "synthtiger"),
}
"""By the name of the package."""


def main(name: str, folder: Path) -> None:
    """Serve one peer until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print, too
    prepare, package = PEERS[name]
    options = json.loads((folder / "options.json").read_text())
    os.environ["OMP_NUM_THREADS"] = str(options["threads"])
    work = prepare(folder, options)
    print(json.dumps({"version": version(package)}), file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        texts = work()
        print(json.dumps({"seconds": time.perf_counter() - start, "texts": texts}), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
