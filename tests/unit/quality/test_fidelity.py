"""The divergence's interval respects clusters, skew and what cannot be a probability."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.quality import fidelity
from evalkit.quality.fidelity import divergence, fidelity_measurements
from evalkit.stats.interval import Estimate, Interval, NotEstimable

LABELS = ("bad", "good")


def table_of(teacher: np.ndarray, student: np.ndarray, **columns: object) -> pd.DataFrame:
    """Probabilities of 'good'; the answers are all right."""
    return pd.DataFrame(
        {
            "row_label": np.full(len(teacher), "good"),
            "teacher": "good",
            "student": "good",
            "teacher_probability_bad": 1 - teacher,
            "teacher_probability_good": teacher,
            "student_probability_bad": 1 - student,
            "student_probability_good": student,
            **columns,
        }
    )


def kl(table: pd.DataFrame, kind: str = "classification", cluster: str | None = None, seed: int = 0) -> Estimate:
    rng = np.random.default_rng(seed)
    labels = () if kind in ("generation", "ranking") else LABELS
    measured = {each.name: each.value for each in fidelity_measurements(table, kind, labels, cluster, 0.9, rng)}
    return measured["teacher_student_kl"]


def interval(value: Estimate) -> Interval:
    assert isinstance(value, Interval)
    return value


def probabilities(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    teacher = rng.uniform(0.5, 0.99, rows)
    return teacher, np.clip(teacher + rng.normal(0, 0.1, rows), 0.01, 0.995)


def test_copies_of_each_row_in_one_cluster_narrow_the_interval_by_nothing() -> None:
    once = table_of(*probabilities(300), user=np.arange(300))
    copied = pd.concat([once] * 5, ignore_index=True)
    single, clustered, naive = (
        interval(kl(once)),
        interval(kl(copied, cluster="user")),
        interval(kl(copied)),
    )
    assert clustered.point == pytest.approx(single.point)
    assert clustered.lower == pytest.approx(single.lower, rel=0.03)
    assert clustered.upper == pytest.approx(single.upper, rel=0.03)
    assert naive.upper - naive.lower < 0.6 * (clustered.upper - clustered.lower)
    assert (single.n, clustered.n, naive.n) == (300, 300, 1500)
    assert clustered.method == "paired cluster bootstrap, BCa"
    assert single.method == "paired bootstrap, BCa"


@pytest.mark.parametrize("cluster", [None, "user"])
def test_more_units_than_are_drawn_singly_give_the_same_interval(
    cluster: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(*probabilities(8000), user=np.arange(8000) // 2)
    singly = interval(kl(table, cluster=cluster))
    monkeypatch.setattr(fidelity, "MOST_DRAWN", 1000)
    in_parts = interval(kl(table, cluster=cluster))
    assert in_parts.point == pytest.approx(singly.point, abs=1e-12)
    assert in_parts.upper - in_parts.lower == pytest.approx(singly.upper - singly.lower, rel=0.15)
    assert in_parts.n == singly.n == (8000 if cluster is None else 4000)
    assert "1000 random parts drawn whole" in in_parts.method
    assert ("cluster" in in_parts.method) is (cluster is not None)


def test_a_single_cluster_shows_no_spread() -> None:
    value = kl(table_of(*probabilities(50), user=1), cluster="user")
    assert isinstance(value, NotEstimable)
    assert value.n == 1


def test_the_same_seed_gives_the_same_interval() -> None:
    table = table_of(*probabilities(100))
    assert kl(table, seed=4) == kl(table, seed=4)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("teacher_probability_good", np.nan),
        ("student_probability_good", np.inf),
        ("student_probability_good", -0.1),
        ("student_probability_good", 1.2),
        ("teacher_probability_bad", 0.9),
    ],
)
def test_what_is_no_probability_leaves_no_estimate_and_says_in_how_many_rows(column: str, value: float) -> None:
    table = table_of(np.full(20, 0.7), np.linspace(0.5, 0.9, 20))
    table.loc[[3, 8], column] = value
    estimate = kl(table)
    assert isinstance(estimate, NotEstimable)
    assert estimate.reason.startswith("2 of 20 rows have numbers that are no probabilities")
    assert estimate.n == 18


def test_a_missing_nullable_probability_leaves_no_estimate() -> None:
    table = table_of(np.full(20, 0.7), np.linspace(0.5, 0.9, 20)).convert_dtypes()
    table.loc[0, "student_probability_good"] = pd.NA
    estimate = kl(table)
    assert isinstance(estimate, NotEstimable)
    assert "1 of 20 rows" in estimate.reason


def test_a_row_that_would_be_infinite_is_counted_and_named() -> None:
    teacher, student = probabilities(200)
    student[:20] = 0.0
    value = interval(kl(table_of(teacher, student)))
    assert np.isfinite(value.upper)
    assert value.method.endswith("; 20 infinite rows counted with a student probability of 1e-08")
    rows = divergence(np.column_stack([1 - teacher, teacher]), np.column_stack([1 - student, student]))
    assert value.point == pytest.approx(rows.mean())


def test_the_divergence_of_label_sets_is_that_of_independent_labels() -> None:
    """Probabilities of several labels sum to anything; each label is a yes or no of its own."""
    rng = np.random.default_rng(1)
    given = {model: rng.uniform(0.05, 0.95, (60, 2)) for model in ("teacher", "student")}
    table = pd.DataFrame({"row_label": "bad|good", "teacher": "bad|good", "student": "bad|good"}, index=range(60))
    for model, values in given.items():
        table[[f"{model}_probability_bad", f"{model}_probability_good"]] = values
    p, q = given["teacher"], given["student"]
    by_hand = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(1)
    assert interval(kl(table, kind="multilabel")).point == pytest.approx(by_hand.mean())
    assert isinstance(kl(table), NotEstimable)


@pytest.mark.parametrize("kind", ["generation", "ranking"])
def test_answers_without_labels_have_agreement_and_flips_but_no_divergence(kind: str) -> None:
    table = pd.DataFrame({"row_label": ["a", "b", "c"], "teacher": ["a", "b", "x"], "student": ["a", "y", "x"]})
    measured = {
        each.name: each.value for each in fidelity_measurements(table, kind, (), None, 0.9, np.random.default_rng(0))
    }
    assert measured["teacher_student_kl"] == NotEstimable(
        reason=f"answers of a {kind} task carry no probabilities", n=0
    )
    assert interval(measured["agreement"]).point == pytest.approx(2 / 3)
    assert interval(measured["negative_flip_rate"]).point == pytest.approx(1 / 3)


def test_missing_answers_agree_with_nothing() -> None:
    table = pd.DataFrame({"row_label": ["a", "a"], "teacher": [None, "a"], "student": [None, "a"]})
    measured = fidelity_measurements(table, "generation", (), None, 0.9, np.random.default_rng(0))
    assert interval(measured[0].value).point == 0.5


@pytest.mark.slow
def test_the_interval_of_clustered_skewed_rows_covers_about_as_often_as_it_says() -> None:
    """Rows' divergences are log-normal about their user's; 80 users. A t interval errs above in 11 % of samples."""
    rng = np.random.default_rng(5)
    samples, users, missed, estimated = 300, 80, np.zeros(2), 0
    truth = np.exp((0.5**2 + 0.8**2) / 2)
    for _ in range(samples):
        user = np.repeat(np.arange(users), rng.integers(1, 12, users))
        values = np.exp(rng.normal(0, 0.5, users)[user] + rng.normal(0, 0.8, len(user)))
        value = fidelity._mean(values, user, 0.9, rng, raised=0)
        if isinstance(value, Interval):  # a few users with nearly all of the spread are no evidence
            estimated += 1
            missed += (value.lower > truth, value.upper < truth)
    assert estimated > 0.9 * samples
    assert (missed / estimated <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / samples) + 0.015).all(), missed / estimated
