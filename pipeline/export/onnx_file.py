"""Write ONNX files: one graph with its weights, and metadata that say how to use it."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from pipeline.common.vocabulary import BLANK, FIRST
from pipeline.export.graph import IMAGES, LENGTHS, LOGITS, WIDTHS, LineGraph
from pipeline.export.packages import quiet
from pipeline.models.checkpoint import RecognizerSettings
from pipeline.models.recognizer import Recognizer

FORMAT = "emnist-lines-onnx/1"
OPSET = 20
"""ONNX's version of the operations: that of 2023, which any runtime of the last years knows."""
AXES = {IMAGES: {0: "batch", 3: "width"}, WIDTHS: {0: "batch"}, LOGITS: {0: "batch", 1: "steps"}, LENGTHS: {0: "batch"}}
"""Names of the free axes."""
QUANTIZED = ("MatMul", "Gemm", "LSTM")
"""What int8 is for. Convolutions in int8 are slower than in fp32, and less exact."""
PREPROCESSING = (
    "images: (batch, 1, height, width) uint8, 0 for background and 255 for full ink, so dark ink on light paper is "
    "inverted. A line is cut close above and below, cut left and right to its ink, and scaled to the height. Lines of "
    "a batch start at the left, and the rest of the image is 0. widths: (batch,) int64, the width of each line in "
    "pixels."
)
DECODING = {
    "ctc": "Take the best class of each of a line's `lengths` steps, merge equal neighbours, drop the blank, keep the "
    "first `max_length` classes, drop classes below `first_character`, and look up the others in `vocabulary`.",
    "ce": "Take the best class of each step, drop classes below `first_character`, and look up the others in "
    "`vocabulary`.",
}


def write_graph(path: Path, recognizer: Recognizer) -> None:
    """Write the graph of a recognizer on the CPU in evaluation mode, in fp32 and with its weights."""
    import onnx

    inputs = (IMAGES, WIDTHS)
    with quiet(), torch.no_grad():
        graph = LineGraph(recognizer).eval()
        program = torch.onnx.export(
            graph,
            graph.example(recognizer.model.height),
            input_names=inputs,
            output_names=(LOGITS, LENGTHS),
            dynamic_shapes={name: AXES[name] for name in inputs},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    # Of each node the exporter notes which line of which file on this machine it comes from.
    for part in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        del part.metadata_props[:]
    for value in proto.graph.output:
        for number, axis in enumerate(value.type.tensor_type.shape.dim):
            if name := AXES[value.name].get(number):
                axis.dim_param = name
    onnx.checker.check_model(proto, full_check=True)
    onnx.save_model(proto, path)


def quantize(source: Path, target: Path) -> None:
    """Write a copy of an fp32 file whose matrix products and LSTMs have int8 weights."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with quiet():
        quantize_dynamic(source, target, op_types_to_quantize=list(QUANTIZED), weight_type=QuantType.QInt8)


def add_metadata(path: Path, settings: RecognizerSettings, recognizer: Recognizer, facts: Mapping[str, str]) -> None:
    """Add what a user of the file must know, and `facts` about its origin."""
    import onnx

    proto = onnx.load(path)
    proto.producer_name = "emnist-lines"
    proto.doc_string = "Reads lines of handwriting. The metadata say how to prepare images and decode logits."
    windows = recognizer.model.windows
    onnx.helper.set_model_props(
        proto,
        {
            "format": FORMAT,
            "preprocessing": PREPROCESSING,
            "height": str(settings.height),
            "decoding": DECODING[settings.loss],
            "loss": settings.loss,
            "vocabulary": json.dumps(settings.vocabulary.tokens, ensure_ascii=False),
            "blank": str(BLANK),
            "first_character": str(FIRST),
            "max_length": str(settings.max_length),
            "window_width": str(windows.width),
            "window_stride": str(windows.stride),
            "window_margin": str(windows.margin),
            "downsampling": str(windows.downsampling),
            "model": settings.model.model_dump_json(),
            **facts,
        },
    )
    onnx.save_model(proto, path)
