"""The failure modes of distillation that this run did not look for: why, and what to give so that it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.diagnosis.finding import FailureMode
from evalkit.record.run_record import RunRecord
from reports.states import NOT_MEASURED, State
from reports.words import sentence

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotLookedFor:
    """One failure mode, and the sentences that say why it was not looked for and how it would be."""

    failure_mode: str
    why: str
    state: State = NOT_MEASURED


def not_looked_for(record: RunRecord) -> tuple[NotLookedFor, ...]:
    """Of the four failure modes those of which the record holds no finding, whether it fired or not."""
    found = {each.failure_mode for each in record.findings}
    return tuple(
        NotLookedFor(failure_mode=sentence(mode.value).removesuffix("."), why=why(record.spec))
        for mode, (names, why) in MODES.items()
        if not found & names
    )


def _wrong_metric(spec: Spec) -> str:
    if spec.get("requirements", {}).get("quality", {}).get("overall_margin") is None:
        return "Nothing is asked of all rows together; give requirements.quality.overall_margin."
    if spec.get("subpopulations", {}).get("by") or spec.get("discovery"):
        return "No subpopulation has a gap that could be estimated; give more rows of each."
    return "No subpopulation is declared, and the search for others is off; give subpopulations.by, or discovery."


def _needs_lessons(spec: Spec) -> str:
    """What only a student that was distilled here, by a teacher that can be asked, can answer."""
    student, teacher = spec.get("student", {}), spec.get("teacher", {})
    if student.get("recorded"):
        return "The student is recorded answers, which say nothing of training texts; give student.distill."
    if student.get("load"):
        return "The student was trained elsewhere, on texts that are not known here; give student.distill."
    if not spec.get("data", {}).get("train"):
        return "There is no training table; give data.train."
    if not teacher.get("load"):
        return "The teacher is no model here that answers training texts with probabilities; give teacher.load."
    return "The training texts do not tell: without true labels a teacher's errors are not known; label some of them."


MODES: dict[FailureMode, tuple[frozenset[FailureMode], Callable[[Spec], str]]] = {
    FailureMode.WRONG_METRIC: (frozenset({FailureMode.WRONG_METRIC}), _wrong_metric),
    FailureMode.DISTRIBUTION_MISMATCH: (
        frozenset({FailureMode.DISTRIBUTION_MISMATCH}),
        lambda _: "There is no sample of real inputs to hold against the held-out texts; give data.production.",
    ),
    FailureMode.TEACHER_ERRORS: (frozenset({FailureMode.TEACHER_ERRORS}), _needs_lessons),
    FailureMode.OVER_COMPRESSION: (
        frozenset({FailureMode.OVER_COMPRESSION, FailureMode.UNDER_TRAINING, FailureMode.COVERAGE}),
        _needs_lessons,
    ),
}
"""Each mode with the findings that mean that it was looked for, and why it may not have been."""
