"""What a plan and a self-check speak of: the claims, the rows at hand, and what is known or assumed of both models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evalkit.data.subpopulations import Group
from evalkit.data.weights import WeightedGrouping
from evalkit.decision.requirement import TEACHER_ACCURACY, Requirement
from evalkit.planning.assumptions import Assumptions
from evalkit.planning.rates import Observed, Rates, overall_rates, rates_of
from evalkit.quality.design_effect import too_few_clusters
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.quality.reweighted import weighted_by
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import ALL_ROWS

PLANNED = (GAP, RETENTION, TEACHER_ACCURACY)


@dataclass(frozen=True, kw_only=True)
class Question:
    """``rows`` held-out rows (queries in ranking) in ``groups``; ``confidence`` is one-sided and of each claim.
    ``clusters`` [rows] says which rows share one, ``weighted`` which groupings are averaged with production weights.
    A required group with fewer than ``minimum_rows`` rows cannot pass. ``blocked`` says what makes the question
    unanswerable whatever the rows."""

    claims: tuple[Requirement, ...]
    groups: tuple[Group, ...]
    rows: int
    clusters: NDArray[np.int64] | None
    confidence: float
    observed: Observed
    assumptions: Assumptions
    weighted: tuple[WeightedGrouping, ...] = ()
    minimum_rows: int = 1
    blocked: tuple[str, ...] = ()

    @cached_property
    def members(self) -> dict[str, NDArray[np.int64]]:
        """The rows of every subpopulation, by name."""
        return {ALL_ROWS: np.arange(self.rows, dtype=np.int64), **{group.name: group.rows for group in self.groups}}

    @cached_property
    def weightings(self) -> dict[str, WeightedGrouping]:
        """The groupings that a gap is averaged over with production weights, by their claim's subpopulation."""
        return {weighted_by(each.name): each for each in self.weighted}

    @cached_property
    def overall(self) -> Rates:
        """What is expected of all rows."""
        return overall_rates(self.observed, self.assumptions)

    def rates(self, subpopulation: str) -> Rates:
        """What is expected of a subpopulation."""
        if subpopulation == ALL_ROWS:
            return self.overall
        return rates_of(self.observed, self.members[subpopulation], self.overall)

    def too_few_clusters(self, subpopulation: str) -> NotEstimable | None:
        """Why the gate will say nothing of a subpopulation, whatever the answers, where its clusters are too few."""
        weighting = self.weightings.get(subpopulation)
        if self.clusters is None:
            return None
        if weighting is None:
            return too_few_clusters(self.clusters[self.members[subpopulation]])
        sizes = [group.n for group in weighting.groups]
        weights = np.repeat(weighting.shares / np.maximum(sizes, 1), sizes)
        return too_few_clusters(self.clusters[np.concatenate([group.rows for group in weighting.groups])], weights)

    def counted(self, names: Sequence[str]) -> tuple[Requirement, ...]:
        """The claims about one of these measurements on plain rows, none weighted, in their order."""
        return tuple(
            claim for claim in self.claims if claim.measurement in names and claim.subpopulation in self.members
        )

    def planned(self) -> tuple[Requirement, ...]:
        """Every claim whose power is known: those on plain rows, and gaps averaged with weights. A claim of a merged
        group need not pass, so its power is not asked."""
        return tuple(
            claim
            for claim in self.claims
            if claim.measurement in PLANNED
            and claim.merged_into is None
            and (claim.subpopulation in self.members or claim.subpopulation in self.weightings)
        )
