"""Prefix beam search for CTC with a character language model, many lines at once.

A hypothesis is a text with the summed probability of all its alignments so far, split by whether the last step was a
blank (Hannun et al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs",
2014). Hypotheses compete by

    log p_ctc(text) + weight * log p_lm(text) + bonus * length

Further shape letters: K hypotheses of a line (the beam's width), A characters that may come next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from pipeline.decoding.language_model import END, START
from pipeline.decoding.row_cache import RowCache
from pipeline.vocabulary import BLANK, SPECIAL_TOKENS, decode

NEVER = -torch.inf
FIRST = len(SPECIAL_TOKENS)
MULTIPLIER, ROOT = 6364136223846793005, 1
"""Knuth's, of a linear congruential generator modulo 2^64: prefixes are told apart by a hash."""


@dataclass(frozen=True)
class Search:
    """How to search; without a weight the language model takes no part."""

    width: int
    candidates: int
    """The likeliest characters of each step that may come next."""
    weight: float = 0.0
    bonus: float = 0.0


@dataclass(frozen=True)
class Hypotheses:
    """K texts for each of B lines, the best first; what is beyond the texts that were found has score -inf."""

    classes: Tensor
    """(B, K, S) int64: class written at each step, `BLANK` where none."""
    ctc: Tensor
    """(B, K) log-probability, summed over the alignments that the search saw."""
    lm: Tensor
    """(B, K) log-probability of the language model, the line's end included; 0 without one."""
    lengths: Tensor
    """(B, K) characters."""

    def scores(self, weight: float, bonus: float) -> Tensor:
        """(B, K) what hypotheses compete by."""
        return self.ctc + weight * self.lm + bonus * self.lengths

    def text(self, line: int, rank: int) -> str:
        """One text."""
        return decode(self.classes[line, rank].tolist())


@dataclass(frozen=True)
class Beam:
    """The state between two steps, (B, K) each."""

    blank: Tensor
    """Log-probability of the alignments that end with a blank."""
    written: Tensor
    """Log-probability of those that end with the last character."""
    last: Tensor
    """Class of the last character, `BLANK` for the empty text."""
    prefix: Tensor
    """Hash of the text."""
    parent: Tensor
    """Hash of the text without its last character."""
    context: Tensor
    """What the language model goes by."""
    lm: Tensor
    lengths: Tensor

    def at(self, places: Tensor) -> "Beam":
        """The hypotheses at these places (B, K)."""
        return Beam(*(getattr(self, field.name).take_along_dim(places, 1) for field in fields(self)))

    @property
    def total(self) -> Tensor:
        """Log-probability of all alignments."""
        return torch.logaddexp(self.blank, self.written)


def beam_search(log_probabilities: Tensor, lengths: Sequence[int], search: Search, rows: RowCache | None) -> Hypotheses:
    """Search the texts of log-probabilities (B, C, S) on the CPU, of which `lengths` steps count.

    Without `rows` there is no language model. Texts consist of characters: `<S>`, `<E>` and `<P>` are never read.
    """
    steps = _counted(log_probabilities.double(), lengths)
    beam, origins, wrote = _empty(len(steps), search.width), [], []
    for step in range(steps.shape[2]):
        beam, origin, written = _step(beam, steps[:, :, step], search, rows)
        origins.append(origin)
        wrote.append(written)
    lm = beam.lm + _ends(beam, rows)
    found = Hypotheses(_traced(origins, wrote), beam.total, lm, beam.lengths)
    order = found.scores(search.weight, search.bonus).argsort(dim=1, descending=True, stable=True)
    return Hypotheses(
        found.classes.take_along_dim(order[..., None], 1),
        *(values.take_along_dim(order, 1) for values in (found.ctc, found.lm, found.lengths)),
    )


def _counted(steps: Tensor, lengths: Sequence[int]) -> Tensor:
    """Make the steps after a line sure blanks, which change no hypothesis."""
    after = torch.arange(steps.shape[2]) >= torch.tensor(lengths)[:, None]
    steps = steps.masked_fill(after[:, None, :], NEVER)
    steps[:, BLANK][after] = 0
    return steps


def _empty(lines: int, width: int) -> Beam:
    """One hypothesis, the empty text; the other places are free."""
    nothing = torch.full((lines, width), NEVER, dtype=torch.float64)
    blank = nothing.clone()
    blank[:, 0] = 0
    zeros = torch.zeros((lines, width), dtype=torch.int64)
    return Beam(
        blank=blank,
        written=nothing,
        last=zeros + BLANK,
        prefix=torch.where(blank == 0, ROOT, _free_places(width)),
        parent=zeros,
        context=zeros + START,
        lm=torch.zeros_like(nothing),
        lengths=zeros,
    )


def _free_places(width: int) -> Tensor:
    """(K,) hashes for places without a hypothesis, no two alike."""
    return -2 - torch.arange(width)


def _step(beam: Beam, step: Tensor, search: Search, rows: RowCache | None) -> tuple[Beam, Tensor, Tensor]:
    """One step (B, C) on: the beam, which hypothesis (B, K) each comes from, and the class that it wrote or `BLANK`."""
    likely, classes = step[:, FIRST:].topk(min(search.candidates, step.shape[1] - FIRST))
    classes = classes + FIRST
    blank, written, grown = _advance(beam, step, likely, classes)
    lm = beam.lm[..., None] + _costs(beam, classes, rows)
    stay_scores = torch.logaddexp(blank, written) + search.weight * beam.lm + search.bonus * beam.lengths
    grow_scores = grown + search.weight * lm + search.bonus * (beam.lengths[..., None] + 1)
    scores, chosen = torch.cat((stay_scores, grow_scores.flatten(1)), 1).topk(search.width)

    width, count = search.width, classes.shape[1]
    grows = chosen >= width
    pairs = (chosen - width).clamp(min=0)
    origin = torch.where(grows, pairs // count, chosen)
    character = torch.where(grows, classes.take_along_dim(pairs % count, 1), BLANK)
    old = beam.at(origin)
    prefix = torch.where(grows, _hash(old.prefix, character), old.prefix)
    return (
        Beam(
            blank=blank.take_along_dim(origin, 1).masked_fill(grows, NEVER),
            written=torch.where(grows, grown.flatten(1).take_along_dim(pairs, 1), written.take_along_dim(origin, 1)),
            last=torch.where(grows, character, old.last),
            prefix=torch.where(scores == NEVER, _free_places(width), prefix),
            parent=torch.where(grows, old.prefix, old.parent),
            context=torch.where(grows, _context(old.context, character, rows), old.context),
            lm=torch.where(grows, lm.flatten(1).take_along_dim(pairs, 1), old.lm),
            lengths=old.lengths + grows,
        ),
        origin,
        character,
    )


def _advance(beam: Beam, step: Tensor, likely: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities after a step: of the same texts (B, K), ending with a blank and with their last character, and
    of texts with one more character (B, K, A).

    Where a grown text is in the beam already, its probability goes there.
    """
    total = beam.total
    blank = total + step[:, BLANK, None]
    again = step.take_along_dim(beam.last, 1).masked_fill(beam.last == BLANK, NEVER)
    written = beam.written + again
    repeats = classes[:, None, :] == beam.last[..., None]
    grown = likely[:, None, :] + torch.where(repeats, beam.blank[..., None], total[..., None])

    child_of = beam.prefix[:, :, None] == beam.parent[:, None, :]
    has_parent, parent = child_of.any(1), child_of.int().argmax(1)
    old = beam.at(parent)
    arrives = again + torch.where(old.last == beam.last, old.blank, old.total)
    written = torch.where(has_parent, torch.logaddexp(written, arrives), written)
    lines, children, places = (repeats & has_parent[..., None]).nonzero(as_tuple=True)
    grown[lines, parent[lines, children], places] = NEVER
    return blank, written, grown


def _costs(beam: Beam, classes: Tensor, rows: RowCache | None) -> Tensor:
    """(B, K, A) log-probability of each class as the next character."""
    if rows is None:
        return torch.zeros((), dtype=torch.float64)
    table, places = rows(beam.context)
    return table[places[..., None], (classes - FIRST)[:, None, :]]


def _ends(beam: Beam, rows: RowCache | None) -> Tensor:
    """(B, K) log-probability of the line's end."""
    if rows is None:
        return torch.zeros((), dtype=torch.float64)
    table, places = rows(beam.context)
    return table[places, END]


def _context(context: Tensor, classes: Tensor, rows: RowCache | None) -> Tensor:
    if rows is None:
        return context
    return rows.model.advance(context, classes - FIRST)


def _hash(prefix: Tensor, character: Tensor) -> Tensor:
    """Of a text with one more character; int64 wraps around."""
    mixed = (prefix ^ (prefix >> 29)) * MULTIPLIER
    return mixed + character


def _traced(origins: Sequence[Tensor], wrote: Sequence[Tensor]) -> Tensor:
    """(B, K, S) class that each hypothesis of the last step wrote at each step."""
    classes = []
    place = torch.arange(wrote[-1].shape[1]).expand_as(wrote[-1])
    for origin, written in zip(reversed(origins), reversed(wrote), strict=True):
        classes.append(written.take_along_dim(place, 1))
        place = origin.take_along_dim(place, 1)
    return torch.stack(classes[::-1], dim=2)
