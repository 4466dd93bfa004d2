"""The fewest answers of the student that change the outcome."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.decision.outcome import outcome_of
from evalkit.decision.requirement import STUDENT_P99, Direction, Requirement
from evalkit.decision.row_flips import RowFlips
from evalkit.decision.verdict import Outcome, decide
from evalkit.quality.paired_gap import GAP, RETENTION
from evalkit.stats.interval import NotEstimable
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from evalkit.stats.retention import retention
from tests.unit.decision.turning import CONFIDENCE, LEVEL, MUCH_WORSE, SAME, SLIGHTLY_WORSE, alone, stability

Measure = Callable[..., Measurement]
Claim = Callable[..., Requirement]


class TestRows:
    def test_of_a_go_are_rows_that_the_student_loses_where_its_teacher_is_right(
        self, gap: Measure, gap_claim: Claim
    ) -> None:
        claims = [gap_claim(), gap_claim("language=de", 0.08)]
        flips = stability(claims, [gap(**SAME), gap("language=de", **SLIGHTLY_WORSE)]).rows
        assert flips is not None
        assert (flips.measurement, flips.student_is, flips.of_rows) == (GAP, "wrong", 1000)
        assert flips.teacher_right == flips.rows
        assert flips.outcome is Outcome.INCONCLUSIVE

    @pytest.mark.parametrize(
        "seen",
        [
            PairedCounts(both=25, student_only=4, teacher_only=1, neither=0),
            PairedCounts(both=3, student_only=30, teacher_only=2, neither=5),
            PairedCounts(both=0, student_only=0, teacher_only=12, neither=20),
            PairedCounts(both=60, student_only=0, teacher_only=0, neither=0),
            PairedCounts(both=20, student_only=1, teacher_only=20, neither=3),
        ],
    )
    @pytest.mark.parametrize("name", [GAP, RETENTION])
    def test_are_the_fewest_of_all_ways_to_choose_them(self, seen: PairedCounts, name: str) -> None:
        claim = Requirement(
            measurement=name,
            subpopulation=ALL_ROWS,
            bound=-0.1 if name == GAP else 0.9,
            direction=Direction.ABOVE,
        )
        flips = alone([claim], [measured_as(name, seen)]).rows
        assert (None if flips is None else flips.rows) == fewest_by_trying(claim, seen)

    def test_of_an_open_claim_are_gained_or_lost_whichever_is_nearer(self, gap: Measure, gap_claim: Claim) -> None:
        nearly_shown = stability([gap_claim()], [gap(both=900, teacher_only=40, neither=60)]).rows
        nearly_broken = stability([gap_claim()], [gap(both=900, teacher_only=60, neither=40)]).rows
        assert nearly_shown is not None
        assert nearly_broken is not None
        assert (nearly_shown.student_is, nearly_shown.outcome) == ("right", Outcome.GO)
        assert (nearly_broken.student_is, nearly_broken.outcome) == ("wrong", Outcome.NO_GO)

    def test_of_a_broken_claim_are_rows_that_the_student_gains(self, gap: Measure, gap_claim: Claim) -> None:
        flips = stability([gap_claim()], [gap(**MUCH_WORSE)]).rows
        assert flips is not None
        assert (flips.student_is, flips.outcome) == ("right", Outcome.INCONCLUSIVE)

    def test_of_a_latency_there_are_none(self, figure: Measure, below: Claim) -> None:
        found = stability([below(STUDENT_P99, 50)], [figure(STUDENT_P99, 40, 38, 43)])
        assert found.rows is None
        assert found.no_rows == "no claim that could change the outcome is tested on counted rows"

    def test_help_no_claim_that_is_broken_by_its_latency(
        self, gap: Measure, figure: Measure, gap_claim: Claim, below: Claim
    ) -> None:
        found = stability([gap_claim(), below(STUDENT_P99, 50)], [gap(**SAME), figure(STUDENT_P99, 90, 88, 93)])
        assert found.rows is None
        assert found.margin is not None
        assert found.margin.measurement == STUDENT_P99

    def test_cannot_be_more_than_there_are(self, gap: Measure, gap_claim: Claim) -> None:
        # Three rows show neither the claim nor its contrary at 99.9 %, whatever the answers on them.
        measured = dataclasses.replace(gap(both=3), value=difference(counts_of(both=3), 0.998))
        found = decide([gap_claim(margin=0.05)], [measured], [], 0.999).stability
        assert found is not None
        assert found.rows is None
        assert found.no_rows == "no number of answers on the rows of one claim would change the outcome"


def counts_of(*, both: int = 0, student_only: int = 0, teacher_only: int = 0, neither: int = 0) -> PairedCounts:
    return PairedCounts(both=both, student_only=student_only, teacher_only=teacher_only, neither=neither)


def measured_as(name: str, seen: PairedCounts, where: str = ALL_ROWS) -> Measurement:
    value = (difference if name == GAP else retention)(seen, LEVEL)
    return Measurement(name=name, subpopulation=where, unit="", value=value, evidence="e.json", counts=seen)


def fewest_by_trying(claim: Requirement, seen: PairedCounts) -> int | None:
    """Every number of rows in every mixture of the two kinds, both ways."""
    before = outcome_of([claim], [measured_as(claim.measurement, seen)], CONFIDENCE)
    for rows in range(1, seen.n + 1):
        for first in range(rows + 1):
            for moved in (lost(seen, first, rows - first), gained(seen, first, rows - first)):
                if moved is None or isinstance(measured_as(claim.measurement, moved).value, NotEstimable):
                    continue
                if outcome_of([claim], [measured_as(claim.measurement, moved)], CONFIDENCE) is not before:
                    return rows
    return None


def lost(seen: PairedCounts, from_both: int, from_student: int) -> PairedCounts | None:
    if from_both > seen.both or from_student > seen.student_only:
        return None
    return counts_of(
        both=seen.both - from_both,
        student_only=seen.student_only - from_student,
        teacher_only=seen.teacher_only + from_both,
        neither=seen.neither + from_student,
    )


def gained(seen: PairedCounts, from_teacher: int, from_neither: int) -> PairedCounts | None:
    if from_teacher > seen.teacher_only or from_neither > seen.neither:
        return None
    return counts_of(
        both=seen.both + from_teacher,
        student_only=seen.student_only + from_neither,
        teacher_only=seen.teacher_only - from_teacher,
        neither=seen.neither - from_neither,
    )


several = st.lists(
    st.builds(
        counts_of,
        both=st.integers(0, 400),
        student_only=st.integers(0, 40),
        teacher_only=st.integers(0, 60),
        neither=st.integers(1, 60),
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=40)
@given(several, st.floats(0.01, 0.3))
def test_the_named_rows_change_the_outcome(groups: list[PairedCounts], margin: float) -> None:
    names = [f"a={number}" for number in range(len(groups))]
    claims = [
        Requirement(measurement=GAP, subpopulation=name, bound=-margin, direction=Direction.ABOVE) for name in names
    ]
    measured = [measured_as(GAP, seen, name) for name, seen in zip(names, groups, strict=True)]
    flips = alone(claims, measured).rows
    if flips is not None:
        index = names.index(flips.subpopulation)
        measured[index] = measured_as(GAP, flipped(groups[index], flips), names[index])
        assert outcome_of(claims, measured, CONFIDENCE) is flips.outcome


def flipped(seen: PairedCounts, flips: RowFlips) -> PairedCounts:
    move = lost if flips.student_is == "wrong" else gained
    teacher_wrong = flips.rows - flips.teacher_right
    moved = move(seen, flips.teacher_right, teacher_wrong)
    assert moved is not None
    return moved
