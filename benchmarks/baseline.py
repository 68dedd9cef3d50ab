"""A plain implementation of the lecture's approach, to compare with.

It computes in fp32 and pads every line to the full width. Windows, decoding and error rates are Python loops.
"""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.inputs import BATCH, READ, Inputs
from pipeline.common.vocabulary import BLANK, EMNIST, EMNIST_CHARACTERS, PADDING

CELL = 28
Run = Callable[[int], int]


class Simple(nn.Module):
    """A small CNN, applied to each window."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.width, self.stride = width, stride
        self.cnn = nn.Sequential(
            *(nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()),
            *(nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten()),
            *(nn.Linear(64 * 14 * (width // 2), 128), nn.ReLU(), nn.Linear(128, EMNIST.num_classes)),
        )

    def forward(self, images: Tensor) -> Tensor:
        steps = (images.shape[-1] - self.width) // self.stride + 1
        windows = [images[..., s * self.stride : s * self.stride + self.width] for s in range(steps)]
        return torch.stack([self.cnn(window) for window in windows], dim=-1)


class Convolutional(nn.Module):
    """Eight convolutions over the whole line, a convolution for the windows, and two linear layers."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        sizes = [
            (1, 32, 1),
            (32, 32, 1),
            (32, 32, 2),
            (32, 32, 1),
            (32, 64, 2),
            (64, 64, 1),
            (64, 128, 2),
            (128, 128, 1),
        ]
        for before, after, step in sizes:
            layers += [nn.Conv2d(before, after, 3, step, padding=1), nn.ReLU()]
        window = nn.Conv2d(128, 512, (CELL // 8, width // 8), (CELL // 8, stride // 8))
        self.convs = nn.Sequential(*layers, window, nn.ReLU())
        self.head = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, EMNIST.num_classes))

    def forward(self, images: Tensor) -> Tensor:
        features = self.convs(images).squeeze(2).transpose(1, 2)
        return self.head(features).transpose(1, 2)


class Recurrent(nn.Module):
    """`Convolutional`, then a bidirectional LSTM over its logits."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.convs = Convolutional(width, stride)
        self.lstm = nn.LSTM(EMNIST.num_classes, 512, bidirectional=True)
        self.head = nn.Linear(512, EMNIST.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        states, _ = self.lstm(self.convs(images).permute(2, 0, 1))
        return self.head(sum(states.chunk(2, dim=-1))).permute(1, 2, 0)


MODELS = {"line_cnn_simple": Simple, "line_cnn": Convolutional, "line_cnn_lstm": Recurrent}


def make_model(inputs: Inputs, key: str) -> nn.Module:
    settings = inputs.experiment(key).model
    torch.manual_seed(inputs.seed)
    return MODELS[settings.name](settings.window_width, settings.window_stride).to(inputs.device)


def to_float(images: np.ndarray) -> Tensor:
    return torch.stack([torch.from_numpy(image)[None].float() / 255 for image in images])


def compute_loss(loss: str, logits: Tensor, labels: Tensor) -> Tensor:
    if loss == "ce":
        return nn.functional.cross_entropy(logits, labels)
    steps = torch.full((len(logits),), logits.shape[-1])
    lengths = (labels != PADDING).sum(1)
    log_probabilities = logits.log_softmax(1).permute(2, 0, 1)
    return nn.functional.ctc_loss(log_probabilities, labels, steps, lengths, BLANK, zero_infinity=True)


def train(inputs: Inputs, key: str) -> Run:
    experiment = inputs.experiment(key)
    lines, model = inputs.lines(experiment.lines, "train"), make_model(inputs, key)
    labels = torch.from_numpy(inputs.labels(lines)).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    order = np.random.default_rng(inputs.seed).permutation(len(lines))

    def run(number: int) -> int:
        rows = order[number * BATCH : (number + 1) * BATCH]
        logits = model(to_float(lines.images[rows]).to(inputs.device))
        loss = compute_loss(experiment.loss, logits, labels[rows].to(inputs.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device, as logging does
        return len(rows)

    return run


def synthesis(inputs: Inputs) -> Run:
    settings, rng = inputs.line_settings("variable"), np.random.default_rng(inputs.seed)
    characters, words = inputs.characters, inputs.words
    by_character: dict[str, list[np.ndarray]] = {}
    for image, label in zip(characters.images, characters.labels, strict=True):
        by_character.setdefault(EMNIST_CHARACTERS[label], []).append(image)

    def text() -> str:
        while True:
            first = rng.integers(len(words))
            chosen = " ".join(words[first : first + rng.integers(1, 8)])
            if len(chosen) <= settings.max_characters:
                return chosen

    def line(content: str) -> np.ndarray:
        images = {c: by_character[c][rng.integers(len(by_character[c]))] for c in set(content) if c in by_character}
        canvas = np.zeros((CELL, CELL * settings.max_length), dtype=np.uint16)
        left = 0
        for character in content:
            if character in images:
                canvas[:, left : left + CELL] += images[character]
            left += CELL - int(CELL * rng.uniform(settings.min_overlap, settings.max_overlap))
        return np.minimum(canvas, 255).astype(np.uint8)

    def run(_round: int) -> int:
        return len([line(text()) for _ in range(1000)])

    return run


def edit_distance(a: list[int], b: list[int]) -> int:
    """Levenshtein distance, row by row (Wagner and Fischer, 1974)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


def error_rate(logits: Tensor, labels: Tensor) -> float:
    edits = characters = 0
    for path, target in zip(logits.argmax(1), labels, strict=True):
        predicted = [label for label, _ in itertools.groupby(path.tolist()) if label != BLANK]
        expected = [label for label in target.tolist() if label != PADDING]
        edits += edit_distance(predicted, expected)
        characters += len(expected)
    return edits / characters


def decode_and_cer(inputs: Inputs) -> Run:
    lines = inputs.lines("variable", "test")
    labels = torch.from_numpy(inputs.labels(lines))
    with torch.no_grad():
        blank = torch.zeros(1, 1, CELL, lines.images.shape[2], device=inputs.device)
        steps = make_model(inputs, READ)(blank).shape[-1]
    logits = inputs.ctc_logits(lines, steps)

    def run(number: int) -> int:
        error_rate(logits, labels)
        return len(lines)

    return run


def evaluate(inputs: Inputs) -> Run:
    lines, model = inputs.lines("variable", "test"), make_model(inputs, READ).eval()
    labels = torch.from_numpy(inputs.labels(lines))

    @torch.no_grad()
    def run(number: int) -> int:
        rows = np.arange(number * BATCH, (number + 1) * BATCH) % len(lines)
        error_rate(model(to_float(lines.images[rows]).to(inputs.device)), labels[rows])
        return BATCH

    return run
