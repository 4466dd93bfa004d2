"""The gate's decision on many simulated tables at once: the rules of ``evalkit.decision``, along an axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from evalkit.decision.requirement import Requirement
from evalkit.quality.paired_gap import GAP
from evalkit.stats.paired_difference import tango_z
from evalkit.stats.retention import tang_z

BOTH, STUDENT_ONLY, TEACHER_ONLY, NEITHER = range(4)
CELLS = 4

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """``claims`` about gap and retention that are required, or of merged groups; ``place`` is a subpopulation's number
    among the groups. ``others`` are such claims that are not simulated: they are far inside their bars, and count in
    Holm's family."""

    claims: tuple[Requirement, ...]
    place: Mapping[str, int]
    confidence: float
    others: tuple[Requirement, ...] = ()

    @property
    def family(self) -> int:
        return len(self.claims) + len(self.others)

    @property
    def needed(self) -> BoolArray:
        """Which claims a GO needs, [claims]."""
        return np.array([claim.required for claim in self.claims], dtype=np.bool_)

    @property
    def has_rows(self) -> BoolArray:
        """Which claims' groups have as many rows as subpopulations.minimum_rows asks for, [claims]."""
        return np.array([claim.rows_short == 0 for claim in self.claims], dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The verdict on each simulated table: ``go`` and ``no_go`` [tables] (neither: INCONCLUSIVE), and ``passed``
    [claims, tables] claim by claim."""

    go: BoolArray
    no_go: BoolArray
    passed: BoolArray


def decide_all(rules: Rules, counts: IntArray) -> Decided:
    """Decides tables of ``counts`` [groups, tables, 4].

    A claim passes where its score statistic exceeds the normal quantile, which is where the bound of its interval
    lies inside the bar, if its group has rows enough. Holm's method rejects something exactly when the smallest
    p-value times the size of the family is at most α, and one rejection makes NO-GO. A claim without evidence has
    p-value 1 and stays open.
    """
    scores = _scores(rules, counts)
    passed = (scores > norm.ppf(rules.confidence)) & rules.has_rows[:, None]
    p_values = np.where(np.isnan(scores), 1.0, norm.cdf(scores))
    no_go = p_values.min(axis=0) * rules.family <= 1.0 - rules.confidence
    is_barred = any(claim.rows_short for claim in rules.others)
    go = passed[rules.needed].all(axis=0) & ~no_go & (not is_barred)
    return Decided(go=go, no_go=no_go, passed=passed)


def _scores(rules: Rules, counts: IntArray) -> FloatArray:
    """The score statistic for "the truth is the bar", [claims, tables]; large values speak for the student, NaN
    where there is no evidence."""
    of_claim = counts[[rules.place[claim.subpopulation] for claim in rules.claims]]
    bounds = np.broadcast_to(np.array([[claim.bound] for claim in rules.claims]), of_claim.shape[:2])
    is_gap = np.array([[claim.measurement == GAP] for claim in rules.claims])
    both, gained, lost, n = *(of_claim[..., cell] for cell in (BOTH, STUDENT_ONLY, TEACHER_ONLY)), of_claim.sum(axis=-1)
    scores = np.full(bounds.shape, np.nan)
    known = (n > 0) & is_gap
    scores[known] = tango_z(gained[known], lost[known], n[known], bounds[known])
    # A teacher that is never right leaves nothing to retain.
    known = ~is_gap & (both + lost > 0)
    scores[known] = tang_z(both[known], gained[known], lost[known], bounds[known])
    return scores
