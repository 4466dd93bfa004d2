"""Secondary evidence beside the gap: whether student and teacher differ at all."""

from __future__ import annotations

from collections.abc import Iterable

from evalkit.quality.paired_gap import GAP
from evalkit.stats.interval import Interval
from evalkit.stats.mcnemar import mid_p
from evalkit.stats.measurement import Measurement


def mcnemar_mid_p(measurements: Iterable[Measurement]) -> dict[str, float]:
    """McNemar's two-sided mid-p value of equal accuracies, by subpopulation, for every gap with counts.

    Where rows share a cluster, the counts are effective ones and so is the p value. A small one says that the
    models differ, a large one says nothing: it cannot show that the student is no worse, and decides nothing.
    """
    return {
        each.subpopulation: mid_p(each.counts)
        for each in measurements
        if each.name == GAP and each.counts is not None and isinstance(each.value, Interval)
    }
