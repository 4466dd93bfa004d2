"""Evidence of any difference at all between student and teacher on the same rows."""

from __future__ import annotations

from scipy.stats import binom

from evalkit.stats.paired_counts import PairedCounts


def mid_p(counts: PairedCounts) -> float:
    """Two-sided mid-p value of McNemar's test of equal accuracies.

    Twice the smaller tail of Binomial(b + c, ½), with half of the observed outcome's probability:
    Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91. It is 1 where b = c
    (and so where nothing is discordant). It tests equality only: a large value does not show that
    the student is no worse.

    >>> round(mid_p(PairedCounts(both=1, student_only=1, teacher_only=7, neither=12)), 4)
    0.0391
    """
    discordant = counts.student_only + counts.teacher_only
    fewer = min(counts.student_only, counts.teacher_only)
    tail = float(binom.cdf(fewer, discordant, 0.5)) - float(binom.pmf(fewer, discordant, 0.5)) / 2
    return min(1.0, 2 * tail)
