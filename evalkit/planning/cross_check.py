"""Simulated tables decided again by the gate's own code, claim by claim: both must say the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalkit.decision.outcome import Outcome, outcome_of
from evalkit.decision.requirement import Direction, Requirement
from evalkit.errors import StageError
from evalkit.planning.simulated_gate import BOTH, NEITHER, STUDENT_ONLY, TEACHER_ONLY, Rules
from evalkit.planning.simulation import KeptTable
from evalkit.quality.paired_gap import GAP
from evalkit.stats.interval import Estimate, Interval, NotEstimable
from evalkit.stats.measurement import Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import METHOD, tango_bounds
from evalkit.stats.retention import retention


def cross_check(rules: Rules, tables: Sequence[KeptTable]) -> int:
    """How many tables were decided again. Raises StageError where one verdict differs."""
    by_claim = [_measured(claim, tables, rules) for claim in rules.claims]
    shown = [_shown(claim) for claim in rules.others]
    for number, table in enumerate(tables):
        expected = Outcome.NO_GO if table.no_go else Outcome.GO if table.go else Outcome.INCONCLUSIVE
        measured = [*(measurements[number] for measurements in by_claim), *shown]
        found = outcome_of((*rules.claims, *rules.others), measured, rules.confidence)
        if found is not expected:
            raise StageError(
                f"the self-check decided {expected.value} where the gate decides {found.value} "
                f"(counts {table.counts.tolist()}); its rates would be wrong, please report this"
            )
    return len(tables)


def _measured(claim: Requirement, tables: Sequence[KeptTable], rules: Rules) -> list[Measurement]:
    """One measurement a table, as the quality room gives it."""
    counts = [_counts(table.counts[rules.place[claim.subpopulation]]) for table in tables]
    level = 2.0 * rules.confidence - 1.0
    values = _gaps(counts, level) if claim.measurement == GAP else [retention(each, level) for each in counts]
    return [
        Measurement(
            name=claim.measurement,
            subpopulation=claim.subpopulation,
            unit="share of rows" if claim.measurement == GAP else "ratio",
            value=value if each.n else NotEstimable(reason="there are no rows", n=0, n_needed=1),
            evidence="simulated",
            counts=each,
        )
        for each, value in zip(counts, values, strict=True)
    ]


def _counts(row: NDArray[np.int64]) -> PairedCounts:
    return PairedCounts(
        both=int(row[BOTH]),
        student_only=int(row[STUDENT_ONLY]),
        teacher_only=int(row[TEACHER_ONLY]),
        neither=int(row[NEITHER]),
    )


def _gaps(counts: Sequence[PairedCounts], level: float) -> list[Estimate]:
    """``difference`` of each, solved at once."""
    lower, upper = tango_bounds(
        [each.student_only for each in counts],
        [each.teacher_only for each in counts],
        [max(1, each.n) for each in counts],
        level,
    )
    return [
        Interval(
            point=(each.student_only - each.teacher_only) / max(1, each.n),
            lower=low,
            upper=high,
            level=level,
            n=each.n,
            method=METHOD,
        )
        for each, low, high in zip(counts, lower.tolist(), upper.tolist(), strict=True)
    ]


def _shown(claim: Requirement) -> Measurement:
    """A claim that is not simulated, far on the right side of its bar."""
    away = 1.0 + abs(claim.bound)
    point = claim.bound + (away if claim.direction is Direction.ABOVE else -away)
    return Measurement(
        name=claim.measurement,
        subpopulation=claim.subpopulation,
        unit="",
        value=Interval(point=point, lower=point, upper=point, level=1.0, n=1, method="taken for shown"),
        evidence="simulated",
    )
