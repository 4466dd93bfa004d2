"""What is taken for true where nothing was observed: the difference, the discordance, the teacher's accuracy."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.errors import SpecError

DIFFERENCE, DISCORDANCE, TEACHER_ACCURACY = 0.0, 0.1, 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Shares of rows: student − teacher accuracy, rows on which exactly one of them is right, and the teacher's
    own accuracy."""

    difference: float = DIFFERENCE
    discordance: float = DISCORDANCE
    teacher_accuracy: float = TEACHER_ACCURACY


def assume(difference: float, discordance: float, teacher_accuracy: float | None, bar: float | None) -> Assumptions:
    """Checked assumptions. Without a stated teacher accuracy it is 0.9, or half-way from ``bar`` (what is required
    of the teacher) to 1, as near as the discordance allows.

    Raises SpecError for shares that cannot be, alone or together.

    >>> assume(0.0, 0.1, None, None).teacher_accuracy, assume(0.0, 0.3, None, None).teacher_accuracy
    (0.9, 0.85)
    """
    if not 0 <= discordance <= 1:
        raise SpecError(f"--discordance is {discordance:g}; give a share of rows in [0, 1], e.g. 0.1")
    if not abs(difference) <= discordance:
        raise SpecError(
            f"--difference is {difference:g}; it cannot exceed --discordance {discordance:g}, the share of rows on "
            "which exactly one model is right"
        )
    lowest, highest = accuracies(difference, discordance)
    if teacher_accuracy is None:
        wanted = TEACHER_ACCURACY if bar is None else (1.0 + bar) / 2.0
        teacher_accuracy = min(max(wanted, lowest), highest)
    if not lowest <= teacher_accuracy <= highest:
        raise SpecError(
            f"--teacher-accuracy is {teacher_accuracy:g}; with --discordance {discordance:g} and --difference "
            f"{difference:g} it lies from {lowest:g} to {highest:g}"
        )
    return Assumptions(difference=difference, discordance=discordance, teacher_accuracy=teacher_accuracy)


def accuracies(difference: float, discordance: float) -> tuple[float, float]:
    """The lowest and the highest accuracy that a teacher can have at this difference and discordance.

    It is right on the rows that it alone gets right, (ψ − Δ)/2, and wrong on those that the student alone
    gets right, (ψ + Δ)/2.
    """
    return max(0.0, (discordance - difference) / 2.0), min(1.0, 1.0 - (discordance + difference) / 2.0)
