"""What a student is taught with: the training table, its labels, and the teacher's recorded answers to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import StageError

SMALLEST_PROBABILITY = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One training table; raises StageError where its three parts are not one a row: a table shifted by one row
    teaches nonsense without a word.

    ``probabilities`` [rows, labels] are the teacher's and ``labels`` [rows] the true ones (−1 = none), numbered alike.
    """

    texts: Sequence[str]
    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.probabilities) == len(self.labels):
            raise StageError(
                f"{len(self.texts)} training texts, {len(self.probabilities)} teacher outputs and {len(self.labels)} "
                "labels do not pair up; ask the teacher again for this very table"
            )

    @property
    def log_probabilities(self) -> NDArray[np.float32]:
        """Logits up to a constant per row."""
        logs: NDArray[np.float32] = np.log(np.maximum(self.probabilities, SMALLEST_PROBABILITY))
        return logs

    @property
    def is_only_answers(self) -> bool:
        """Whether every output is 0 or 1: such a table says what the teacher answered, not how sure it was."""
        return bool(np.isin(self.probabilities, (0.0, 1.0)).all())
