"""What a student may be built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import SpecError
from evalkit.modelling.loading import TextClassifier
from evalkit.spec.own_code import OwnCode

EAGER = "eager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """``labels`` in the student's order, the training ``texts``, the ``teacher`` where it is a model that lies here,
    the folder that ``student.distill.start`` names, and the ``code`` that ``student.distill.module`` names."""

    labels: tuple[str, ...]
    texts: Sequence[str] = ()
    teacher: TextClassifier | None = None
    start: Path | None = None
    code: OwnCode | None = None

    def teacher_for(self, key: str) -> TextClassifier:
        """The teacher that ``student.distill.KEY`` takes parts of; raises SpecError where there is none."""
        if self.teacher is None:
            raise SpecError(
                f"student.distill.{key} takes parts of the teacher, which is no model here; give teacher.load, or an "
                "encoder with tokenizer: own"
            )
        return self.teacher

    @property
    def attention(self) -> str | None:
        """How the student's attention is computed: so that it can be read, where the teacher's is."""
        if self.teacher is None:
            return None
        return EAGER if self.teacher.model.config._attn_implementation == EAGER else None
