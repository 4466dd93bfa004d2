"""Whether this is a poor candidate for distillation, each reason with its evidence and its threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from evalkit.planning.break_even import BreakEven
from evalkit.stats.interval import Estimate, Interval
from evalkit.stats.sample_size import feasibility_floor

MOST_MONTHS = 12.0
MOST_THIN_LABELS = 10
THIN_TRAINING_ROWS = 30
NAMED = 5


class Weight(StrEnum):
    """POOR: the project is likely to fail or not to pay. WARNING: look before you start."""

    POOR = "poor candidate"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One reason against distilling, with what was seen and the threshold that it was held against."""

    weight: Weight
    name: str
    evidence: str
    threshold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShape:
    """How broad the task is: rows by label in held-out and training table (None without one), and the share of
    held-out rows that the most frequent answer would get right (None where answers are not labels)."""

    kind: str
    held_out_by_label: Mapping[str, int]
    train_by_label: Mapping[str, int] | None
    majority_share: float | None


def concerns(
    shape: TaskShape,
    teacher: Estimate | None,
    teacher_bar: float | None,
    margin: float | None,
    confidence: float,
    payback: BreakEven,
) -> tuple[Concern, ...]:
    """Every reason found. ``teacher`` is its accuracy over all rows, None before it has answered; ``margin`` is
    what a single label may lose."""
    return (
        *_weak_teacher(teacher, teacher_bar, shape.majority_share),
        *_does_not_pay(payback),
        *_too_broad(shape, margin, confidence),
    )


def _weak_teacher(teacher: Estimate | None, bar: float | None, majority: float | None) -> Iterator[Concern]:
    if not isinstance(teacher, Interval):
        return
    seen = f"the teacher is right on {_percent(teacher.point)} ({_percent(teacher.lower)} to {_percent(teacher.upper)})"
    if bar is not None and teacher.upper < bar:
        yield Concern(
            weight=Weight.POOR,
            name="the teacher's own error is above the bar",
            evidence=seen,
            threshold=f"upper bound below requirements.quality.teacher_accuracy {_percent(bar)}",
        )
    if majority is not None and teacher.point < majority:
        shown = teacher.upper < majority
        yield Concern(
            weight=Weight.POOR if shown else Weight.WARNING,
            name="the teacher is no better than the most frequent answer",
            evidence=f"{seen}; always giving the most frequent answer is right on {_percent(majority)}",
            threshold=f"{'upper bound' if shown else 'point estimate'} below that baseline",
        )


def _does_not_pay(payback: BreakEven) -> Iterator[Concern]:
    if payback.never:
        yield Concern(
            weight=Weight.POOR,
            name="it never pays",
            evidence=f"a million requests cost {payback.teacher_usd_per_million:,.2f} USD with the teacher and "
            f"{payback.student_usd_per_million:,.2f} with the student ({payback.source})",
            threshold="the student costs no less per request",
        )
    elif payback.months is not None and payback.months > MOST_MONTHS:
        assert payback.requests is not None
        yield Concern(
            weight=Weight.POOR,
            name="the volume is below break-even",
            evidence=f"{payback.project_usd:,.0f} USD are saved after {payback.requests:,.0f} requests, "
            f"{payback.months:,.1f} months at {payback.monthly_requests:,} a month ({payback.source})",
            threshold=f"more than {MOST_MONTHS:g} months",
        )


def _too_broad(shape: TaskShape, margin: float | None, confidence: float) -> Iterator[Concern]:
    if shape.kind == "generation":
        yield Concern(
            weight=Weight.WARNING,
            name="a broad task",
            evidence="task.kind is generation: the answers are open, and a small student loses the rare ones first",
            threshold="every generation task; narrow it to one kind of answer where that is possible",
        )
    yield from _thin_held_out(shape, margin, confidence)
    yield from _thin_training(shape)


def _thin_held_out(shape: TaskShape, margin: float | None, confidence: float) -> Iterator[Concern]:
    if margin is None or not shape.held_out_by_label:
        return
    needed = feasibility_floor(margin, confidence)
    thin = {label: count for label, count in shape.held_out_by_label.items() if count < needed}
    if thin:
        yield Concern(
            weight=Weight.WARNING,
            name="more labels than the held-out rows can speak for",
            evidence=f"{len(thin)} of {len(shape.held_out_by_label)} labels are too rare: {_named(thin)}",
            threshold=f"fewer than {needed} held-out rows, the floor of margin {margin:g}: harm to one of these labels "
            "alone cannot be ruled out",
        )


def _thin_training(shape: TaskShape) -> Iterator[Concern]:
    if shape.train_by_label is None:
        return
    thin = {label: count for label, count in shape.train_by_label.items() if count < THIN_TRAINING_ROWS}
    if len(thin) > MOST_THIN_LABELS:
        yield Concern(
            weight=Weight.WARNING,
            name="too broad for the training rows",
            evidence=f"{len(thin)} of {len(shape.train_by_label)} labels have few labelled training rows: "
            f"{_named(thin)}",
            threshold=f"more than {MOST_THIN_LABELS} labels with fewer than {THIN_TRAINING_ROWS} training rows each",
        )


def _named(thin: Mapping[str, int]) -> str:
    rarest = sorted(thin.items(), key=lambda item: (item[1], item[0]))
    shown = ", ".join(f"{label} ({count})" for label, count in rarest[:NAMED])
    return shown + (f" and {len(rarest) - NAMED} more" if len(rarest) > NAMED else "")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
