"""Records of planted learning curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evalkit.record.curve_record import SCHEMA_VERSION, CurveRecord, MeasuredOn, TeacherElsewhere
from evalkit.stats.interval import Interval
from evalkit.stats.learning_curve import read_curve
from tests.unit.stats.planted_curves import TEACHER, planted_points

BAR = -0.03


def between(lower: float, upper: float) -> Interval:
    return Interval(point=(lower + upper) / 2, lower=lower, upper=upper, level=0.90, n=4000, method="planted")


def curve_record(
    asymptote: float, gain: float, exponent: float, *, seeds: int = 1, seed: int = 1, learnt=None
) -> CurveRecord:
    """A curve on 4,000 rows, of which the first sizes may not be ``learnt`` [4]."""
    rng = np.random.default_rng(seed)
    points = planted_points(rng, asymptote, gain, exponent, measured=4000, seeds=seeds)
    return CurveRecord(
        schema_version=SCHEMA_VERSION,
        task="reviews <b>",
        spec_digest="0123456789abcdef",
        made_at="2026-11-24T21:00:00Z",
        bar=BAR,
        shown_from=-0.021,
        held_out_rows=8000,
        confidence=0.95,
        shares=(0.1, 0.25, 0.5, 1.0),
        seeds=tuple(range(1, seeds + 1)),
        rows_at_hand=10_000,
        unlabelled=4_000,
        trained_for="2 epochs",
        starts_from_teacher=False,
        measured_on=MeasuredOn(
            source="data.train", rows=4000, units=4000, clustered_by=None, teacher=between(0.84, 0.86)
        ),
        teacher_elsewhere=None,
        reading=read_curve(points, BAR, TEACHER, 0.90, rng, learnt, -0.021, 400),
    )


def with_teacher(record: CurveRecord, lower: float, upper: float, *, known: bool, taken: bool = False) -> CurveRecord:
    """The same beside an earlier run that has the teacher's accuracy."""
    return replace(
        record,
        teacher_elsewhere=TeacherElsewhere(run="reviews-1", accuracy=between(lower, upper), known=known, taken=taken),
    )
