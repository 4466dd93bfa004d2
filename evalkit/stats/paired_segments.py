"""Ratio of a quantile between two series that were measured in turns, segment by segment.

Each segment of one series has a partner in the other, measured right beside it under the same conditions. What
drifts from segment to segment (a warmer processor, a busier neighbour) then moves both, and cancels in the ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import finite_values, require_all, require_count, require_fraction
from evalkit.stats.quantiles import quantile_rank, requests_needed

METHOD = "bootstrap t of the quantile ratio, over paired segments"
FEWEST_SEGMENTS = 4

FloatArray = NDArray[np.float64]


def segment_quantile_ratio(
    numerator: Sequence[FloatArray],
    denominator: Sequence[FloatArray],
    q: float,
    level: float,
    rng: np.random.Generator,
    replicates: int = 1000,
) -> Estimate:
    """The q-quantile of all of ``numerator`` ÷ that of all of ``denominator``, with a two-sided interval at ``level``.

    ``numerator`` and ``denominator`` hold one array of samples a segment, shape (n_k,), of one unit; segments at the
    same place are partners. Two-stage bootstrap (Davison and Hinkley 1997, section 3.8): pairs of segments are drawn
    with replacement, then samples of what was drawn. Of n samples drawn with replacement the r-th smallest lies at the
    share Beta(r, n − r + 1) of the pool, exactly, so nothing is sorted again. The standard deviation of the ratio's
    logarithm and Student's t with one degree of freedom fewer than segments give the bounds. ``n`` counts the samples
    of the smaller series.

    ``NotEstimable`` with fewer than 4 segments, or with too few samples in a series to bound its quantile.

    Raises ``ValueError`` for numbers of segments that differ, samples that are not finite, a denominator that is not
    positive, and q or level outside (0, 1).

    >>> rng = np.random.default_rng(1)
    >>> drift = [1.0, 1.3, 0.8, 1.1, 1.6, 0.9]
    >>> slow = [20 * each + rng.normal(size=200) for each in drift]
    >>> fast = [10 * each + rng.normal(size=200) for each in drift]
    >>> ratio = segment_quantile_ratio(slow, fast, q=0.5, level=0.90, rng=rng)
    >>> round(ratio.point, 1), 1.8 < ratio.lower < 2.0 < ratio.upper < 2.2
    (2.0, True)
    """
    require_fraction("q", q)
    require_fraction("level", level)
    require_count("replicates", replicates, at_least=2)
    if len(numerator) != len(denominator):
        raise ValueError(
            f"numerator has {len(numerator)} segments and denominator {len(denominator)}; give each its partner"
        )
    above, below = (_Pool(name, given) for name, given in (("numerator", numerator), ("denominator", denominator)))
    require_all("denominator", below.ordered, below.ordered > 0, "a ratio needs positive values below the line")
    n, segments = min(above.ordered.size, below.ordered.size), len(numerator)
    missing = _too_few(n, segments, q, level)
    if missing is not None:
        return missing
    weights = rng.multinomial(segments, np.full(segments, 1 / segments), size=replicates)
    drawn = np.log(above.drawn(q, weights, rng) / below.drawn(q, weights, rng))
    point = above.quantile(q) / below.quantile(q)
    factor = math.exp(float(t.ppf((1 + level) / 2, segments - 1)) * float(drawn.std(ddof=1)))
    return Interval(point=point, lower=point / factor, upper=point * factor, level=level, n=n, method=METHOD)


class _Pool:
    """The samples of all segments in ascending order, each with its segment."""

    def __init__(self, name: str, segments: Sequence[FloatArray]) -> None:
        arrays = [finite_values(name, segment) for segment in segments]
        joined = np.concatenate(arrays) if arrays else np.empty(0)
        order = np.argsort(joined, kind="stable")
        self.ordered = joined[order]
        self._segment = np.repeat(np.arange(len(arrays)), [array.size for array in arrays])[order]

    def quantile(self, q: float) -> float:
        return float(self.ordered[quantile_rank(self.ordered.size, q) - 1])

    def drawn(self, q: float, weights: NDArray[np.int64], rng: np.random.Generator) -> FloatArray:
        """The quantile of each resample; ``weights`` [replicates, segments] says how often each segment is in it."""
        found = np.empty(len(weights))
        for number, often in enumerate(weights):
            up_to = np.cumsum(often[self._segment])
            n = int(up_to[-1])
            rank = quantile_rank(n, q)
            share = rng.beta(rank, n - rank + 1)
            found[number] = self.ordered[np.searchsorted(up_to, min(math.floor(n * share) + 1, n))]
        return found


def _too_few(n: int, segments: int, q: float, level: float) -> NotEstimable | None:
    if segments < FEWEST_SEGMENTS:
        return NotEstimable(
            reason=f"{segments} segments say too little of how much they differ",
            n=segments,
            n_needed=FEWEST_SEGMENTS,
        )
    needed = max(requests_needed(q, (1 + level) / 2), requests_needed(1 - q, (1 + level) / 2))
    if n < needed:
        return NotEstimable(reason=f"{n} samples cannot bound the {q:g} quantile on both sides", n=n, n_needed=needed)
    return None
