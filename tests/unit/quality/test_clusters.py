"""Rows of one cluster never count for more than what they are: looks at the same few users."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.decision.requirement import Direction, Requirement
from evalkit.decision.verdict import Outcome, decide
from evalkit.quality.design_effect import deflate, design_effect
from evalkit.quality.fidelity import divergence, fidelity_measurements
from evalkit.quality.paired_gap import GAP, RETENTION, paired_measurements
from evalkit.stats.interval import Estimate, Interval
from evalkit.stats.measurement import ALL_ROWS, Measurement
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference, tango_bounds

RNG = np.random.default_rng(0)


def identical_answers(users: int, rows_each: int) -> pd.DataFrame:
    """Teacher and student answer alike, and are right on nine users of ten."""
    user = np.repeat(np.arange(users), rows_each)
    answer = np.where(user % 10 == 0, "bad", "good")
    return pd.DataFrame({"row_label": "good", "teacher": answer, "student": answer, "user": user})


def measured(table: pd.DataFrame, cluster: str | None) -> dict[str, Measurement]:
    return {each.name: each for each in paired_measurements(table, (), cluster, 0.9)}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 8)), max_size=60))
def test_clustering_never_makes_evidence_stronger(rows: list[tuple[int, int]]) -> None:
    values = np.array([value for value, _ in rows], dtype=np.float64)
    clusters = np.array([cluster for _, cluster in rows], dtype=np.int64)
    assert design_effect(values, clusters) >= 1.0


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 8)), min_size=2, max_size=60), st.randoms())
def test_the_design_effect_depends_neither_on_names_of_clusters_nor_on_the_order_of_rows(
    rows: list[tuple[int, int]], random: object
) -> None:
    renamed = [(value, 100 - 7 * cluster) for value, cluster in rows]
    random.shuffle(renamed)  # type: ignore[attr-defined]
    first, second = (
        design_effect(np.array([r[0] for r in each], dtype=np.float64), np.array([r[1] for r in each]))
        for each in (rows, renamed)
    )
    assert first == pytest.approx(second)


@pytest.mark.parametrize("name", [GAP, RETENTION, "teacher_accuracy", "student_accuracy"])
def test_every_interval_of_copied_rows_is_about_that_of_the_rows(name: str) -> None:
    rng = np.random.default_rng(5)
    right = {model: np.where(rng.random(800) < 0.8, "good", "bad") for model in ("teacher", "student")}
    once = pd.DataFrame({"row_label": "good", **right, "user": np.arange(800)})
    single = measured(once, None)[name].value
    copied = measured(pd.concat([once] * 4, ignore_index=True), "user")[name].value
    assert isinstance(single, Interval)
    assert isinstance(copied, Interval)
    assert copied.lower == pytest.approx(single.lower, abs=0.003)
    assert copied.upper == pytest.approx(single.upper, abs=0.003)
    assert "design effect" in copied.method


def test_the_figures_of_clustered_rows_are_those_of_all_rows() -> None:
    """Effective counts are for the interval; what is reported is what pandas alone computes."""
    rng = np.random.default_rng(8)
    user = np.repeat(np.arange(70), 7)
    right = {
        model: np.where((rng.random(70)[user] + rng.random(490)) < 1.3, "good", "bad")
        for model in ("teacher", "student")
    }
    found = measured(pd.DataFrame({"row_label": "good", **right, "user": user}), "user")
    teacher, student = ((right[model] == "good").mean() for model in ("teacher", "student"))
    expected = {
        GAP: student - teacher,
        RETENTION: student / teacher,
        "teacher_accuracy": teacher,
        "student_accuracy": student,
    }
    for name, figure in expected.items():
        value = found[name].value
        assert isinstance(value, Interval)
        assert value.point == pytest.approx(figure, abs=1e-12)
        assert value.lower <= value.point <= value.upper
        assert "design effect" in value.method


class TestWhereTeacherAndStudentNeverDiffer:
    """No discordant row says nothing of how alike a cluster's rows are: a cluster counts for one row at most."""

    @pytest.mark.parametrize("name", [GAP, RETENTION])
    def test_copies_of_rows_narrow_no_interval(self, name: str) -> None:
        once, copied = identical_answers(60, 1), identical_answers(60, 10)
        single, clustered = measured(once, "user")[name].value, measured(copied, "user")[name].value
        assert isinstance(single, Interval)
        assert isinstance(clustered, Interval)
        assert clustered.lower == pytest.approx(single.lower, abs=0.001)

    def test_copies_of_too_few_rows_are_never_a_go(self) -> None:
        # At a margin of 1 % the floor is 268 rows; ten looks at each of 60 users are not 600.
        claim = Requirement(measurement=GAP, subpopulation=ALL_ROWS, bound=-0.01, direction=Direction.ABOVE)
        for rows_each in (1, 10):
            verdict = decide([claim], [measured(identical_answers(60, rows_each), "user")[GAP]], [], 0.95)
            assert verdict.outcome is Outcome.INCONCLUSIVE, rows_each


@pytest.mark.parametrize("lost", [1, 2, 3, 5])
def test_a_student_that_loses_a_few_rows_is_never_judged_better_than_one_that_loses_none(lost: int) -> None:
    """One lost row in one cluster says hardly more of how alike a cluster is than none at all."""
    none_lost = identical_answers(60, 10).assign(teacher="good", student="good")
    student = np.full(600, "good", dtype=object)
    student[10 * np.arange(lost)] = "bad"  # each of another user
    before = measured(none_lost, "user")[GAP].value
    after = measured(none_lost.assign(student=student), "user")[GAP].value
    assert isinstance(before, Interval)
    assert isinstance(after, Interval)
    assert after.lower <= before.lower + 0.001


def test_lost_rows_do_not_vanish_where_gained_ones_remain() -> None:
    counts = PairedCounts(both=990, student_only=8, teacher_only=2, neither=0)
    exact, _ = tango_bounds(8 / 8, 2 / 8, 1000 / 8, 0.9)
    value = difference(deflate(counts, 8.0), 0.9)
    assert isinstance(value, Interval)
    assert value.lower <= float(exact) + 0.001


def test_any_number_of_rows_of_a_single_user_shows_nothing_of_other_users() -> None:
    table = identical_answers(1, 600)
    assert shows_little(measured(table, "user")[GAP].value)
    some_lost = table.assign(teacher="good", student=np.where(np.arange(600) < 3, "bad", "good"))
    assert shows_little(measured(some_lost, "user")[GAP].value)


def shows_little(value: Estimate) -> bool:
    """Not estimable, or as wide as the interval of a single row: ± z² / (1 + z²) = ± 0.73."""
    return not isinstance(value, Interval) or value.lower < -0.7


class TestDivergence:
    def test_of_a_sure_teacher_is_minus_the_log_of_what_the_student_gives(self) -> None:
        kl = divergence(np.array([[1.0, 0.0]]), np.array([[0.25, 0.75]]))
        assert kl[0] == pytest.approx(np.log(4), abs=1e-6)

    def test_is_finite_where_the_student_rules_out_what_the_teacher_says(self) -> None:
        assert np.isfinite(divergence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))).all()

    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
    def test_is_never_below_zero_and_zero_only_for_equals(self, pairs: list[tuple[float, float]]) -> None:
        teacher, student = (np.array([[pair[i], 1 - pair[i]] for pair in pairs]) for i in (0, 1))
        assert (divergence(teacher, student) >= -1e-6).all()
        assert divergence(teacher, teacher) == pytest.approx(0)

    def test_is_measured_as_the_mean_over_rows_where_both_give_probabilities(self) -> None:
        teacher, student = np.linspace(0.5, 0.9, 30), np.linspace(0.25, 0.8, 30)
        table = pd.DataFrame({"row_label": "good", "teacher": "good", "student": "good"}, index=range(30)).assign(
            teacher_probability_good=teacher,
            teacher_probability_bad=1 - teacher,
            student_probability_good=student,
            student_probability_bad=1 - student,
        )
        kl = {
            each.name: each.value
            for each in fidelity_measurements(table, "classification", ("bad", "good"), None, 0.9, RNG)
        }
        by_hand = teacher * np.log(teacher / student) + (1 - teacher) * np.log((1 - teacher) / (1 - student))
        value = kl["teacher_student_kl"]
        assert isinstance(value, Interval)
        assert value.point == pytest.approx(by_hand.mean())

    def test_names_the_side_that_gives_no_probabilities(self) -> None:
        table = pd.DataFrame({"row_label": ["good"], "teacher": "good", "student": "good"}).assign(
            teacher_probability_good=0.5, teacher_probability_bad=0.5
        )
        kl = {
            each.name: each.value
            for each in fidelity_measurements(table, "classification", ("bad", "good"), None, 0.9, RNG)
        }
        assert kl["teacher_student_kl"].reason == "no probabilities of the student are recorded"  # type: ignore[union-attr]
