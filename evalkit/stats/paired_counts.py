"""The four counts behind every paired comparison of two classifiers on the same rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCounts:
    """Rows by who is right on them: both, only the student, only the teacher, neither."""

    both: int
    student_only: int
    teacher_only: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.student_only + self.teacher_only + self.neither

    @property
    def student_right(self) -> int:
        return self.both + self.student_only

    @property
    def teacher_right(self) -> int:
        return self.both + self.teacher_only
