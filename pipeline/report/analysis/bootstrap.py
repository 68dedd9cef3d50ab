"""Confidence intervals: how far a rate may be from its value on other lines of other handwritten characters.

Errors of characters: lines and character images are resampled together, in the pigeonhole bootstrap. Lines are drawn
with replacement, images get random weights, and what happens at a character counts as often as its line was drawn,
times the weight of its image. Alone, this gives too wide intervals where chance belongs to one image in one line: it is
in the draws of the lines, in the weights of the images and in their products, so that its variance counts three times.

Errors of words and lines belong to no single image: lines are resampled alone. Alone, this gives too narrow intervals,
because lines with the same image are alike.

`Deviations` says for both what the standard deviation of the rate is, and resamples are drawn together or apart to it.
Without image numbers, all this is a bootstrap over the lines. Lines of one page or writer are alike: where lines have
groups, whole groups are drawn in place of lines.

Sources: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007. Exponential weights: Rubin, "The Bayesian
bootstrap", Annals of Statistics 1981. The variance that counts once: Cameron, Gelbach and Miller, "Robust inference
with multiway clustering", Journal of Business & Economic Statistics 2011. Percentile intervals: Efron and Tibshirani,
"An Introduction to the Bootstrap", 1993. Paired differences: Bisani and Ney, "Bootstrap estimates for confidence
intervals in ASR performance evaluation", ICASSP 2004.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.storage.lines import NO_IMAGE

RESAMPLES = 2000
LEVEL = 0.95
CHUNK = 100
"""Resamples drawn at once; limits the memory."""
TINY = float(np.finfo(float).tiny)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A measured value and its confidence interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero is outside the interval."""
        return self.low > 0 or self.high < 0


def estimate(value: float, samples: Floats, scale: float = 1.0) -> Estimate:
    """`value` with the percentile interval of its resamples (R,), after their distances from it are scaled."""
    tail = (1 - LEVEL) / 2
    low, high = value + scale * (np.quantile(samples, [tail, 1 - tail]) - value)
    return Estimate(value, float(low), float(high))


@dataclass(frozen=True)
class Deviations:
    """What lines, images, and images in single lines add to the deviation of a rate from its mean."""

    lines: Floats
    """(G,) for each group of lines; a line without a group is one of its own."""
    images: Floats
    """(J,) compared with all images of the same character: how often a character occurs is up to the texts."""
    cells: Floats
    """(M,) what the images add in single lines."""
    images_of_kind: Floats
    """(J,) how many images show the same character."""
    weighted: bool
    """Whether the resamples weight the images too."""

    def __sub__(self, other: "Deviations") -> "Deviations":
        arrays = self.lines - other.lines, self.images - other.images, self.cells - other.cells
        return Deviations(*arrays, self.images_of_kind, self.weighted)

    @property
    def scale(self) -> float:
        """The standard deviation of the rate, divided by that of its resamples."""
        lines, cells = float(np.square(self.lines).sum()), float(np.square(self.cells).sum())
        images, n = np.square(self.images), self.images_of_kind
        # n images are nearer to their own mean than to that of all handwriting, by (n - 1) / n.
        of_images = float((images * n / np.maximum(n - 1, 1)).sum())
        # What images add beyond chance in cells, which is in the lines already; below 0 it is itself chance.
        variance = lines + max(of_images - cells, 0.0)
        # n exponential weights, divided by their sum, vary like n draws, by n / (n + 1).
        of_resamples = lines + float((images * n / (n + 1)).sum()) + cells if self.weighted else lines
        return float((variance / of_resamples) ** 0.5) if of_resamples else 1.0


class Cells:
    """The M pairs of a line and an image that stands in it, once or several times.

    What has no image, such as a space, belongs to its line alone: one more cell in the line, whose image is the only
    one of its kind, so that its weight is always 1.
    """

    def __init__(
        self, texts: Sequence[str], image_numbers: NDArray[np.int32] | None = None, groups: Sequence[str] = ()
    ) -> None:
        """`image_numbers` (N, T) and `groups` are those of `Lines`; None and empty where they are not known."""
        several = len(set(groups)) > 1  # one group alone would be in every resample
        self.groups = np.unique(groups, return_inverse=True)[1] if several else np.arange(len(texts))
        """(N,) the number of each line's group; groups are drawn as a whole."""
        lengths = np.array([len(text) for text in texts])
        if image_numbers is None:
            image_numbers = np.full((len(texts), lengths.max()), NO_IMAGE, np.int32)
        self.in_text = np.arange(image_numbers.shape[1]) < lengths[:, None]
        numbers, lines = image_numbers[self.in_text], np.nonzero(self.in_text)[0]
        images, image_of = np.unique(numbers, return_inverse=True)
        pairs, self.of_character = np.unique(lines * len(images) + image_of, return_inverse=True)
        self.lines, self.images = np.divmod(pairs, len(images))
        self.counts = np.bincount(self.of_character).astype(np.float64)
        # The character that each image shows, as a code point, or 0 for the place of `NO_IMAGE`.
        characters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4")
        shown = np.zeros(len(images), np.int64)
        shown[image_of] = np.where(numbers == NO_IMAGE, 0, characters)
        _, self.kinds, counts = np.unique(shown, return_inverse=True, return_counts=True)
        self.only = counts[self.kinds, None] == 1
        """(J, 1) the only image of its kind: it cannot be compared with others, and its weight is 1."""

    def sum(self, amounts: Floats) -> Floats:
        """Add up amounts at characters (N, T) in each cell, (M,)."""
        return bincount(self.of_character, amounts[self.in_text], len(self.lines))

    def deviations(self, amounts: Floats, wholes: Floats, at_cells: Floats | None = None) -> Deviations:
        """The deviations of the rate `amounts` / `wholes`, (N,) each.

        `at_cells` (M,) says where the amounts belong. If they belong to no cell, all of a line's images have their
        share in it: each is compared by the lines in which it stands.
        """
        lines = amounts - wholes * (amounts.sum() / max(float(wholes.sum()), TINY))
        parts, counts = (lines[self.lines], np.ones(len(self.lines))) if at_cells is None else (at_cells, self.counts)
        kinds = self.kinds[self.images]
        means = bincount(kinds, parts) / np.maximum(bincount(kinds, counts), 1)
        cells = np.where(self.only[self.images, 0], 0.0, parts - means[kinds] * counts)
        images_of_kind = np.bincount(self.kinds)[self.kinds].astype(np.float64)
        return Deviations(
            bincount(self.groups, lines), bincount(self.images, cells), cells, images_of_kind, at_cells is not None
        )

    def resample(
        self, at_cells: Floats, of_lines: Floats, rng: np.random.Generator, resamples: int = RESAMPLES
    ) -> tuple[Floats, Floats]:
        """Sums of `at_cells` (K, M) and of `of_lines` (L, N) over R resamples, (K, R) and (L, R).

        All rows have the same resamples, so they are paired. The lines alone say how often a character occurs: the
        weights of its images are scaled to that.
        """
        from scipy.sparse import csr_array  # takes a while

        lines, images, groups = len(self.in_text), len(self.kinds), int(self.groups.max()) + 1
        in_lines = csr_array((self.counts, (self.images, self.lines)), (images, lines))
        of_kind = csr_array((np.ones(images), (self.kinds, np.arange(images))))
        sums = np.empty((len(at_cells), resamples)), np.empty((len(of_lines), resamples))
        for start in range(0, resamples, CHUNK):
            count = min(CHUNK, resamples - start)
            drawn = rng.multinomial(groups, np.full(groups, 1 / groups), size=count).T.astype(np.float64)[self.groups]
            weights = np.where(self.only, 1.0, rng.standard_exponential((images, count)))
            occurrences = in_lines @ drawn
            scale = (of_kind @ occurrences) / np.maximum(of_kind @ (weights * occurrences), TINY)
            weights *= scale[self.kinds]
            sums[0][:, start : start + count] = at_cells @ (drawn[self.lines] * weights[self.images])
            sums[1][:, start : start + count] = of_lines @ drawn
        return sums


def bincount(places: NDArray[np.int64], amounts: Floats, length: int = 0) -> Floats:
    """Add up the amounts at each place."""
    return np.bincount(places, weights=amounts, minlength=length).astype(np.float64)
