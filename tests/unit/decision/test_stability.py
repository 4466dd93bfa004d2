"""How little would have had to be otherwise for another outcome."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from evalkit.decision.evidence import claims_of
from evalkit.decision.requirement import Direction, Requirement
from evalkit.decision.stability import sentences, stability_of
from evalkit.decision.standing import standing_of
from evalkit.quality.paired_gap import GAP
from evalkit.stats.interval import Interval
from evalkit.stats.measurement import Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import tango_bounds
from tests.unit.decision.turning import CONFIDENCE, LEVEL, SLIGHTLY_WORSE, stability

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]


def test_both_are_told_in_words(gap: Measure, gap_claim: Claim) -> None:
    measured = [gap("language=de", **SLIGHTLY_WORSE)]
    found = stability([gap_claim("language=de", 0.08)], measured)
    assert isinstance(measured[0].value, Interval)
    assert found.rows is not None
    of_margin, of_rows = sentences(found)
    assert of_margin == (
        f"INCONCLUSIVE with −{-100 * measured[0].value.lower:.4g} points instead of −8 points as the bar of accuracy "
        f"gap on language=de ({100 * (0.08 + measured[0].value.lower) / 0.08:.3g} % of its margin), all other claims "
        "held fixed."
    )
    assert of_rows == (
        f"INCONCLUSIVE had the student been wrong on {found.rows.rows} more of the 1,000 rows behind accuracy gap on "
        f"language=de (the teacher is right on {found.rows.rows} of them), all other claims held fixed."
    )
    assert sentences(stability([], [])) == (
        "No change of one margin: nothing was required.",
        "No other answers of the student: nothing was required.",
    )


def counts_of(*, both: int = 0, student_only: int = 0, teacher_only: int = 0, neither: int = 0) -> PairedCounts:
    return PairedCounts(both=both, student_only=student_only, teacher_only=teacher_only, neither=neither)


@pytest.mark.parametrize("rates", [(0.85, 0.04, 0.05, 0.06), (0.8, 0.02, 0.08, 0.1), (0.6, 0.02, 0.3, 0.08)])
def test_a_thousand_claims_take_less_than_a_third_of_a_second(rates: tuple[float, ...]) -> None:
    drawn = np.random.default_rng(5).multinomial(800, rates, 1000)
    lower, upper = tango_bounds(drawn[:, 1], drawn[:, 2], 800, LEVEL)
    requirements, measured = [], []
    for number, (a, b, c, d) in enumerate(drawn.tolist()):
        where, counts = f"a={number}", counts_of(both=a, student_only=b, teacher_only=c, neither=d)
        ends = (float(lower[number]), float(upper[number]))
        value = Interval(point=(b - c) / 800, lower=ends[0], upper=ends[1], level=LEVEL, n=800, method="Tango")
        requirements.append(Requirement(measurement=GAP, subpopulation=where, bound=-0.05, direction=Direction.ABOVE))
        measured.append(
            Measurement(name=GAP, subpopulation=where, unit="", value=value, evidence="e.json", counts=counts)
        )
    claims = claims_of(requirements, measured, CONFIDENCE)
    times = []
    for _ in range(3):
        started = time.process_time()
        stability_of(standing_of(claims, CONFIDENCE, is_barred=False))
        times.append(time.process_time() - started)
    assert min(times) < 0.3
