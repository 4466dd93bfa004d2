"""Several students on the same rows, each against the best of the others.

Which student is the best is not known: the one that looks best was chosen by the same rows. Hsu (1984), "Constrained
simultaneous confidence intervals for multiple comparisons with the best", Annals of Statistics 12, 1136–1144: let d be
wide enough for the k − 1 differences of the true best from the others. Then, with that one error for all of them,

    min(0, min over j of lower(i − j))  ≤  accuracy of i − best of the others  ≤  max(0, min over j of upper(i − j))

holds for every student i at once, whichever is the best, and so for one that is picked for looking small and good. The
differences are paired by row. In the place of Dunnett's d stands Bonferroni's over the k − 1 differences, which needs
nothing of how they hang together, and the interval of each is Tango's score interval at that level.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from evalkit.quality.paired_gap import paired_differences
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.preconditions import require_fraction

METHOD = "Hsu 1984, comparison with the best of {others} others; Tango's paired intervals at Bonferroni's level"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``less_best`` is the accuracy of one student less that of the best of the others.

    ``not_inferior``: it is shown to lose less than the margin against the best. ``may_be_best``: nobody is shown to be
    better.
    """

    less_best: Estimate
    not_inferior: bool
    may_be_best: bool


def with_the_best(
    right: NDArray[np.bool_], clusters: NDArray[np.int64] | None, margin: float, confidence: float
) -> tuple[Standing, ...]:
    """One standing a student; ``right`` [students, rows] says who answers which row rightly.

    With chance ``confidence`` all intervals, and so all claims, hold together. They are over rows (whole ``clusters``
    [rows] where given) and about these trained students: another seed gives another student. Raises ValueError for
    fewer than two students, or a margin or confidence outside (0, 1).

    >>> rng = np.random.default_rng(1)
    >>> best = rng.random(4000) < 0.9
    >>> alike, worse = best ^ (rng.random(4000) < 0.005), best & (rng.random(4000) < 0.93)
    >>> [each.not_inferior for each in with_the_best(np.stack([worse, alike, best]), None, 0.02, 0.95)]
    [False, True, True]
    """
    students = len(right)
    require_fraction("margin", margin)
    require_fraction("confidence", confidence)
    if students < 2:
        raise ValueError(f"{students} student has nobody to be compared with; give at least 2")
    level = 1.0 - 2.0 * (1.0 - confidence) / (students - 1)
    pairs = differences(right, clusters, level)
    return tuple(_standing(index, students, pairs, margin, confidence) for index in range(students))


def differences(
    right: NDArray[np.bool_], clusters: NDArray[np.int64] | None, level: float
) -> dict[tuple[int, int], Estimate]:
    """The difference in accuracy of every ordered pair of students, at two-sided ``level`` each. Rows of clusters are
    rounded against the first of the pair, so that the lower end is the cautious one."""
    pairs = list(permutations(range(len(right)), 2))
    found = paired_differences([(right[one], right[other]) for one, other in pairs], clusters, level)
    return dict(zip(pairs, found, strict=True))


def _standing(
    index: int, students: int, pairs: dict[tuple[int, int], Estimate], margin: float, confidence: float
) -> Standing:
    others = [other for other in range(students) if other != index]
    beside = [pairs[index, other] for other in others]
    against = [pairs[other, index] for other in others]
    for each in (*beside, *against):
        if isinstance(each, NotEstimable):
            return Standing(less_best=each, not_inferior=False, may_be_best=True)
    point = min(each.point for each in beside if isinstance(each, Interval))
    lower = min(0.0, *(each.lower for each in beside if isinstance(each, Interval)))
    upper = max(0.0, min(-each.lower for each in against if isinstance(each, Interval)))
    interval = Interval(
        point=point,
        lower=lower,
        upper=max(upper, point),
        level=confidence,
        n=min(each.n for each in beside),
        method=METHOD.format(others=len(others)),
    )
    return Standing(less_best=interval, not_inferior=lower > -margin, may_be_best=upper > 0.0)
