"""Prefix beam search for CTC with a character language model, many lines at once.

A hypothesis is a text with the summed probability of all its alignments so far, split by whether the last step was a
blank (Hannun et al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs",
2014). Hypotheses compete by

    log p_ctc(text) + weight * log p_lm(text) - prior * sum of log p(character) + bonus * length

A network learns from its lines how common each character is, and the language model says it again: what the prior takes
off makes up for that (the density ratio of McDermott et al., "A Density Ratio Approach to Language Model Fusion in
End-to-End Automatic Speech Recognition", 2019, with single characters as the source's model).

Further shape letters: K hypotheses of a line (the beam's width), A characters that may come next.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.common.vocabulary import BLANK, SPECIAL_TOKENS
from pipeline.decoding.beam_state import NEVER, ORPHAN, Beam, empty_beam, free_places, hash_of
from pipeline.decoding.hypotheses import Hypotheses, Search
from pipeline.decoding.language_model.cache import RowCache
from pipeline.decoding.language_model.model import END, UNKNOWN
from pipeline.decoding.language_model.ngrams import SYMBOLS

FIRST = len(SPECIAL_TOKENS)


def beam_search(log_probabilities: Tensor, lengths: Sequence[int], search: Search, rows: RowCache | None) -> Hypotheses:
    """Search the texts of log-probabilities (B, C, S) on the CPU, of which `lengths` steps count.

    Without `rows` there is no language model. Texts consist of characters: `<S>`, `<E>` and `<P>` are never read.
    """
    steps = _counted(log_probabilities.double(), lengths)
    beam, origins, wrote = empty_beam(len(steps), search.width), [], []
    rewards = _rewards(search, rows)
    for step in range(steps.shape[2]):
        beam, origin, written = _step(beam, steps[:, :, step], search, rows, rewards)
        origins.append(origin)
        wrote.append(written)
    lm = beam.lm + _ends(beam, rows)
    found = Hypotheses(_traced(origins, wrote), beam.total, lm, beam.rewards)
    order = found.scores(search.weight).argsort(dim=1, descending=True, stable=True)
    return Hypotheses(
        found.classes.take_along_dim(order[..., None], 1),
        *(values.take_along_dim(order, 1) for values in (found.ctc, found.lm, found.rewards)),
    )


def _counted(steps: Tensor, lengths: Sequence[int]) -> Tensor:
    """Make the steps after a line sure blanks, which change no hypothesis."""
    after = torch.arange(steps.shape[2]) >= torch.tensor(lengths)[:, None]
    steps = steps.masked_fill(after[:, None, :], NEVER)
    steps[:, BLANK][after] = 0
    return steps


def _rewards(search: Search, rows: RowCache | None) -> Tensor:
    """What each character adds to a text's score, whatever comes before it: (SYMBOLS,)."""
    if rows is None:
        return torch.full((SYMBOLS,), search.bonus, dtype=torch.float64)
    table, places = rows(torch.tensor(UNKNOWN))
    return search.bonus - search.prior * table[places]


def _step(
    beam: Beam, step: Tensor, search: Search, rows: RowCache | None, rewards: Tensor
) -> tuple[Beam, Tensor, Tensor]:
    """One step (B, C) on: the beam, which hypothesis (B, K) each comes from, and the class that it wrote or `BLANK`."""
    likely, classes = step[:, FIRST:].topk(min(search.candidates, step.shape[1] - FIRST))
    classes = classes + FIRST
    blank, written, grown = _advance(beam, step, likely, classes)
    lm = (beam.lm[..., None] + _costs(beam, classes, rows)).expand_as(grown)
    rewarded = beam.rewards[..., None] + rewards[classes - FIRST][:, None, :]
    stay_scores = torch.logaddexp(blank, written) + search.weight * beam.lm + beam.rewards
    grow_scores = grown + search.weight * lm + rewarded
    scores, chosen = torch.cat((stay_scores, grow_scores.flatten(1)), 1).topk(search.width)

    grows = chosen >= search.width
    pairs = (chosen - search.width).clamp(min=0)
    origin = torch.where(grows, pairs // classes.shape[1], chosen)
    character = torch.where(grows, classes.take_along_dim(pairs % classes.shape[1], 1), BLANK)
    old = beam.at(origin)
    prefix = torch.where(grows, hash_of(old.prefix, character), old.prefix)
    parent = torch.where(grows, old.prefix, old.parent)
    nobody = scores == NEVER
    new = Beam(
        blank=blank.take_along_dim(origin, 1).masked_fill(grows, NEVER),
        written=torch.where(grows, grown.flatten(1).take_along_dim(pairs, 1), written.take_along_dim(origin, 1)),
        last=torch.where(grows, character, old.last),
        prefix=torch.where(nobody, free_places(search.width), prefix),
        parent=parent.masked_fill(nobody, ORPHAN),
        context=torch.where(grows, _context(old.context, character, rows), old.context),
        lm=torch.where(grows, lm.flatten(1).take_along_dim(pairs, 1), old.lm),
        rewards=torch.where(grows, rewarded.flatten(1).take_along_dim(pairs, 1), old.rewards),
    )
    return new, origin, character


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


def _traced(origins: Sequence[Tensor], wrote: Sequence[Tensor]) -> Tensor:
    """(B, K, S) class that each hypothesis of the last step wrote at each step."""
    classes = []
    place = torch.arange(wrote[-1].shape[1]).expand_as(wrote[-1])
    for origin, written in zip(reversed(origins), reversed(wrote), strict=True):
        classes.append(written.take_along_dim(place, 1))
        place = origin.take_along_dim(place, 1)
    return torch.stack(classes[::-1], dim=2)
