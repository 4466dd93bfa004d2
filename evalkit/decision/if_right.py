"""The bar must also hold where the teacher's answers outside the labels are taken as right.

They count as wrong, and a teacher that is wrong more often is easier to replace: a GO must not rest on that. Whether
they were right nobody knows, so that a claim of this kind can hold a GO open and makes no NO-GO; it takes no part of
the error that the claims of the spec share (a GO needs all of them, each at the full error).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from evalkit.decision.check import Check, CheckOutcome, check_all
from evalkit.decision.requirement import Requirement
from evalkit.quality.outside import if_right
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import Measurement


def checks_if_right(
    requirements: Sequence[Requirement], measurements: Sequence[Measurement], confidence: float
) -> tuple[Check, ...]:
    """One more check for each required gap and retention on whose rows the teacher answered outside the labels: passed
    where the same bar holds with the teacher right on all of them, open otherwise."""
    measured = {(each.name, each.subpopulation) for each in measurements}
    claims = [
        dataclasses.replace(each, measurement=if_right(each.measurement))
        for each in requirements
        if each.required
        and each.measurement in (GAP, RETENTION)
        and (if_right(each.measurement), each.subpopulation) in measured
    ]
    return tuple(_never_broken(each) for each in check_all(claims, measurements, confidence))


def _never_broken(check: Check) -> Check:
    """More rows settle it only where they could show that it holds."""
    if check.outcome is CheckOutcome.PASSED:
        return check
    value = None if check.measurement is None else check.measurement.value
    is_beyond = isinstance(value, Interval) and value.point <= check.requirement.bound
    further = None if is_beyond else check.further_needed
    return dataclasses.replace(check, outcome=CheckOutcome.OPEN, further_needed=further)
