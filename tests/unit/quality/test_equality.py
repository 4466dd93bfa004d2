"""McNemar's mid-p value is shown beside each gap that has counts, and decides nothing."""

from __future__ import annotations

import pytest

from evalkit.quality.equality import mcnemar_mid_p
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import Estimate, NotEstimable
from evalkit.stats.measurement import Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference

FAGERLAND = PairedCounts(both=1, student_only=1, teacher_only=7, neither=12)


def measured(name: str, where: str, counts: PairedCounts | None, value: Estimate | None = None) -> Measurement:
    if value is None:
        assert counts is not None
        value = difference(counts, 0.9)
    return Measurement(
        name=name, subpopulation=where, unit="share of rows", value=value, evidence="predictions.parquet", counts=counts
    )


def test_each_gap_has_the_mid_p_value_of_its_counts() -> None:
    """Fagerland, Lydersen & Laake 2014, Statistics in Medicine 33: (1, 1, 7, 12) gives 0.0391."""
    none_differ = PairedCounts(both=50, student_only=0, teacher_only=0, neither=2)
    p_values = mcnemar_mid_p([measured(GAP, "all", FAGERLAND), measured(GAP, "channel=tweet", none_differ)])
    assert p_values == {"all": pytest.approx(0.0391, abs=5e-5), "channel=tweet": 1.0}


def test_what_is_no_gap_or_has_no_counts_or_no_rows_has_no_p_value() -> None:
    empty = PairedCounts(both=0, student_only=0, teacher_only=0, neither=0)
    given = [
        measured(RETENTION, "all", FAGERLAND),
        measured(GAP, "all, weighted by channel", None, difference(FAGERLAND, 0.9)),
        measured(GAP, "channel=fax", empty, NotEstimable(reason="there are no rows", n=0)),
    ]
    assert mcnemar_mid_p(given) == {}
