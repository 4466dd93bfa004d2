from __future__ import annotations

import pytest

from evalkit.stats.mcnemar import mid_p
from evalkit.stats.paired_counts import PairedCounts


def test_mid_p_counts_half_of_the_observed_outcome() -> None:
    """b = 0, c = 5: the tail is ½ · 2⁻⁵, twice that is 2⁻⁵."""
    counts = PairedCounts(both=1, student_only=0, teacher_only=5, neither=1)
    assert mid_p(counts) == pytest.approx(2**-5)


def test_no_discordant_rows_are_no_evidence_of_a_difference() -> None:
    assert mid_p(PairedCounts(both=9, student_only=0, teacher_only=0, neither=0)) == 1.0
