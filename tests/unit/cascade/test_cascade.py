"""The cheapest cascade that keeps every bar, on students whose every rate is known."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.cascade.cascade import work_out
from evalkit.cascade.latency import Latencies
from evalkit.data.subpopulations import Group
from evalkit.decision.requirement import SPEED_UP, SPEED_UP_P99, STUDENT_P99, Direction, Requirement
from evalkit.quality.paired_gap import paired_measurements
from evalkit.stats.interval import Interval, NotEstimable
from evalkit.stats.measurement import ALL_ROWS
from tests.unit.cascade.planted import gap_claim, planted, question

RNG_SEED = 7


def unsure(confidence):
    """Wrong in half of the rows below 0.6 (a fifth of all), else never: the student alone loses 10 points."""
    return np.where(confidence < 0.6, 0.5, 0.0)


def worked(table, claims, **more):
    return work_out(question(table, claims, **more), np.random.default_rng(RNG_SEED))


def time_claim(name, bound, direction=Direction.BELOW):
    return Requirement(measurement=name, subpopulation=ALL_ROWS, bound=bound, direction=direction)


def test_the_fewest_rows_are_sent_that_keep_the_margin():
    """Sending a share e < 0.2 leaves a loss of 0.5 × (0.2 − e): below 5 points only for e > 0.1."""
    found = worked(planted(8000, unsure, 1), [gap_claim(0.05)])
    best = found.lines[found.best]
    assert best.share_to_teacher.point == pytest.approx(0.15, abs=0.005)
    assert (best.keeps_quality, found.reason) == (True, None)
    assert best.gap.lower > -0.05
    after = found.lines[found.best + 1]
    assert (after.keeps_quality, after.share_to_teacher.point) == (False, pytest.approx(0.1, abs=0.005))
    assert all(line.keeps_quality is None for line in found.lines[found.best + 2 :])
    assert all(line.keeps_quality for line in found.lines[: found.best])


def test_the_offer_says_what_it_sends_what_it_loses_and_what_it_saves():
    found = worked(planted(8000, unsure, 1), [gap_claim(0.05)])
    offer, best = found.offer, found.lines[found.best]
    assert offer.share_to_teacher == best.share_to_teacher.point
    assert offer.cost_reduction == best.cost_reduction
    assert best.cost_reduction.point == pytest.approx(1 / (1 / 8 + offer.share_to_teacher))
    assert best.usd_per_million == pytest.approx(100 + 800 * offer.share_to_teacher)
    assert f"below {best.threshold:.4g}" in offer.explanation
    assert "which does not flatter it" in offer.explanation


def test_a_bar_in_a_subpopulation_is_kept_there_too():
    """The last 2,000 rows lose twice as much per row sent: they alone ask for more to be sent."""
    table = planted(8000, unsure, 1)
    late = planted(2000, lambda confidence: np.where(confidence < 0.7, 0.5, 0.0), 2)
    for column in ("row_label", "teacher", "student", *(c for c in table if "probability" in c)):
        table.loc[6000:, column] = late[column].to_numpy()
    group = Group(name="late", rows=np.arange(6000, 8000), margin=0.05, required=True)
    measure = lambda mix, everything: paired_measurements(mix, (group,), None, 0.9)  # noqa: E731
    alone = worked(table, [gap_claim(0.05)])
    both = worked(table, [gap_claim(0.05), gap_claim(0.05, "late")], measure=measure)
    sent = [found.lines[found.best].share_to_teacher.point for found in (alone, both)]
    assert sent[0] < sent[1]


def test_a_student_that_is_wrong_where_it_is_sure_needs_nearly_all_rows_sent():
    """Wrong in 20 % of all rows whatever it says: a loss below 5 points needs more than 75 % sent."""
    found = worked(planted(4000, lambda confidence: 0.2 + 0 * confidence, 3), [gap_claim(0.05)])
    assert found.lines[found.best].share_to_teacher.point >= 0.79


def test_where_even_the_safest_does_not_pass_there_is_no_offer_and_a_reason():
    found = worked(planted(40, unsure, 1), [gap_claim(0.05)])
    assert (found.best, found.offer) == (None, None)
    assert found.reason.startswith("even with 90% of the requests sent on, accuracy gap over all rows is between")
    assert found.lines[0].keeps_quality is False


def test_a_mix_that_is_too_slow_is_not_offered():
    rng = np.random.default_rng(4)
    latencies = Latencies(student_ms=rng.normal(10, 1, 3000), teacher_ms=rng.normal(50, 2, 3000))
    table = planted(8000, unsure, 1)
    for bound, offered in ((80.0, True), (60.0, False)):
        found = worked(table, [gap_claim(0.05), time_claim(STUDENT_P99, bound)], latencies=latencies)
        assert (found.offer is not None) == offered, bound
    assert found.reason.startswith("the cheapest that keeps the quality: p99 is between")
    assert all(isinstance(line.p99_ms, Interval) for line in found.lines)


def test_a_speed_up_is_asked_of_the_mix():
    rng = np.random.default_rng(4)
    latencies = Latencies(student_ms=rng.normal(10, 1, 3000), teacher_ms=rng.normal(50, 2, 3000))
    table = planted(8000, unsure, 1)
    for bound, offered in ((4.0, True), (6.0, False)):  # p50 of the mix is close to the student's: 50 ÷ 10
        claims = [gap_claim(0.05), time_claim(SPEED_UP, bound, Direction.ABOVE)]
        assert (worked(table, claims, latencies=latencies).offer is not None) == offered


def test_a_speed_up_at_p99_is_asked_of_the_mix():
    """The slowest of a mix take both models' time: it is slower than the teacher alone there, at p50 5 × as fast."""
    rng = np.random.default_rng(4)
    latencies = Latencies(student_ms=rng.normal(10, 1, 3000), teacher_ms=rng.normal(50, 2, 3000))
    table = planted(8000, unsure, 1)
    for bound, offered in ((0.7, True), (1.0, False)):
        claims = [gap_claim(0.05), time_claim(SPEED_UP_P99, bound, Direction.ABOVE)]
        assert (worked(table, claims, latencies=latencies).offer is not None) == offered, bound


def test_a_bar_on_time_that_was_not_measured_is_not_kept():
    found = worked(planted(8000, unsure, 1), [gap_claim(0.05), time_claim(STUDENT_P99, 1000)])
    assert found.offer is None
    assert "p99 latency was not measured" in found.reason
    assert isinstance(found.lines[0].p99_ms, NotEstimable)


def test_nothing_is_chosen_by_answers_of_which_nothing_is_required():
    found = worked(planted(500, unsure, 1), [time_claim(STUDENT_P99, 50)])
    assert (found.lines, found.offer) == ((), None)
    assert "nothing is required of the answers" in found.reason


def test_without_probabilities_or_with_equal_ones_there_is_no_threshold():
    table = planted(500, unsure, 1)
    bare = table.drop(columns=[column for column in table if "student_probability" in column])
    assert "probabilities are not known" in worked(bare, [gap_claim(0.05)]).reason
    flat = table.assign(student_probability_no=0.4, student_probability_yes=0.6)
    assert "equally sure" in worked(flat, [gap_claim(0.05)]).reason


def test_rows_that_belong_together_make_the_share_less_certain():
    table = planted(4000, unsure, 1)
    order = table[["student_probability_no", "student_probability_yes"]].max(axis=1).argsort().to_numpy()
    clusters = np.empty(4000, dtype=np.int64)
    clusters[order] = np.arange(4000) // 20  # rows of like confidence are of one cluster
    apart, together = (worked(table, [gap_claim(0.05)], clusters=each).lines[5] for each in (None, clusters))
    width = [line.share_to_teacher.upper - line.share_to_teacher.lower for line in (apart, together)]
    assert width[1] > 2 * width[0]


@pytest.mark.slow
@pytest.mark.long
def test_choosing_the_threshold_passes_a_bad_one_no_more_often_than_the_error_allows():
    """At the student's own rate the cascade that sends a tenth loses 5 points, exactly the margin: offering that or
    less is an error. Naively taking the cheapest that passes by its own interval errs more often."""
    wrong = naive = 0
    trials, margin = 90, 0.05
    for seed in range(trials):
        table = planted(1000, unsure, 1000 + seed)
        found = worked(table, [gap_claim(margin)])
        wrong += found.best is not None and _loss(found.lines[found.best].threshold) >= margin
        passing = [line for line in found.lines if isinstance(line.gap, Interval) and line.gap.lower > -margin]
        naive += bool(passing) and max(_loss(line.threshold) for line in passing) >= margin
    assert wrong <= naive
    assert wrong / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def _loss(threshold: float) -> float:
    """The true loss of the mix: rows between the threshold and 0.6 are kept and wrong in half of all cases."""
    return max(0.0, 0.6 - threshold) / 0.5 * 0.5


def test_the_gap_of_every_line_is_that_of_its_mix():
    table = planted(2000, unsure, 1)
    found = worked(table, [gap_claim(0.05)])
    confidence = table[["student_probability_no", "student_probability_yes"]].max(axis=1)
    for line in found.lines:
        kept = table[confidence >= line.threshold]
        lost = (kept["student"] != kept["row_label"]).sum()
        assert line.gap.point == pytest.approx(-lost / len(table))
        assert line.share_to_teacher.point == pytest.approx((confidence < line.threshold).mean())
