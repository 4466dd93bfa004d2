from __future__ import annotations

from collections.abc import Mapping

from evalkit.planning.break_even import BreakEven
from evalkit.planning.candidate import Concern, TaskShape, Weight, concerns
from evalkit.stats.interval import Estimate
from evalkit.stats.proportions import proportion


def payback(*, months: float | None = None, never: bool = False) -> BreakEven:
    return BreakEven(
        teacher_usd_per_million=800.0,
        student_usd_per_million=300.0,
        project_usd=500.0,
        monthly_requests=1000,
        requests=None if months is None else 1000 * months,
        earliest=None,
        latest=None,
        months=months,
        never=never,
        source="stated prices",
        reason=None,
    )


def found(
    *,
    teacher: Estimate | None = None,
    bar: float | None = None,
    majority: float | None = None,
    kind: str = "classification",
    held_out: Mapping[str, int] | None = None,
    train: Mapping[str, int] | None = None,
    pays: BreakEven | None = None,
) -> tuple[Concern, ...]:
    shape = TaskShape(kind=kind, held_out_by_label=held_out or {}, train_by_label=train, majority_share=majority)
    return concerns(shape, teacher, bar, 0.05, 0.95, pays or payback())


def test_nothing_speaks_against_a_good_teacher_that_pays_soon() -> None:
    good = proportion(950, 1000, 0.9)
    assert found(teacher=good, bar=0.9, majority=0.5, held_out={"a": 60, "b": 60}, pays=payback(months=12.0)) == ()


def test_a_teacher_whose_upper_bound_is_below_its_bar_is_a_poor_one() -> None:
    (concern,) = found(teacher=proportion(800, 1000, 0.9), bar=0.9)
    assert concern.weight is Weight.POOR
    assert "the teacher is right on 80.0 %" in concern.evidence
    assert "90.0 %" in concern.threshold


def test_a_teacher_that_may_still_reach_its_bar_is_not_called_poor() -> None:
    assert found(teacher=proportion(45, 50, 0.9), bar=0.92) == ()


def test_a_teacher_below_the_most_frequent_answer_is_poor_when_shown_and_a_warning_before() -> None:
    (shown,) = found(teacher=proportion(600, 1000, 0.9), majority=0.7)
    (perhaps,) = found(teacher=proportion(34, 50, 0.9), majority=0.7)
    assert (shown.weight, perhaps.weight) == (Weight.POOR, Weight.WARNING)


def test_a_volume_below_break_even_within_a_year_is_poor() -> None:
    (concern,) = found(pays=payback(months=12.1))
    assert (concern.weight, concern.threshold) == (Weight.POOR, "more than 12 months")


def test_a_student_that_never_pays_is_poor() -> None:
    (concern,) = found(pays=payback(never=True))
    assert (concern.weight, concern.name) == (Weight.POOR, "it never pays")


def test_labels_below_the_floor_of_the_margin_are_a_warning_with_their_names() -> None:
    (concern,) = found(held_out={"refund": 51, "order": 52, "other": 700})
    assert concern.weight is Weight.WARNING
    assert "1 of 3 labels are too rare: refund (51)" in concern.evidence
    assert "fewer than 52 held-out rows" in concern.threshold


def test_many_labels_with_few_training_rows_are_a_warning() -> None:
    thin = {f"intent-{number:02}": 29 for number in range(11)}
    (concern,) = found(train=thin | {"common": 5000})
    assert (concern.weight, concern.name) == (Weight.WARNING, "too broad for the training rows")
    assert "and 6 more" in concern.evidence
    assert found(train=dict.fromkeys(thin, 30)) == ()


def test_generation_is_called_broad() -> None:
    (concern,) = found(kind="generation")
    assert (concern.weight, concern.name) == (Weight.WARNING, "a broad task")
