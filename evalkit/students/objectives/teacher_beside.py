"""The teacher beside its student: what it makes of the very batch that the student has just seen."""

from __future__ import annotations

from typing import Any

import torch

from evalkit.errors import InvalidComparison
from evalkit.modelling.loading import TextClassifier
from evalkit.students.loss import Batch


class TeacherBeside:
    """Runs the teacher without gradient, each batch once however many objectives read it.

    ``asks`` is what they read besides logits. Raises InvalidComparison for a teacher in training mode: its dropout
    would teach noise.
    """

    def __init__(self, teacher: TextClassifier, asks: frozenset[str]) -> None:
        if teacher.model.training:
            raise InvalidComparison(
                "the teacher is in training mode, so that its dropout is on; call model.eval() first"
            )
        self.model = teacher.model
        self._asked = dict.fromkeys(asks, True)
        self._batch: Batch | None = None
        self._outputs: Any = None

    def outputs(self, batch: Batch) -> Any:
        """The teacher's ModelOutput for ``batch.inputs``; the teacher follows them to their device."""
        if self._batch is not batch:
            ids = batch.inputs["input_ids"]
            if self.model.device != ids.device:
                self.model.to(ids.device)
            with torch.no_grad():
                self._outputs = self.model(**batch.inputs, **self._asked)
            self._batch = batch
        return self._outputs
