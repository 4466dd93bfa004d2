"""What makes one slice of rows worse than another: two scores, both of a slice's rows and the sum of their loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Score(Protocol):
    """Higher is worse for the student; 0 or less is no find.

    With the sum of the loss held at min(most a row can lose · rows, a constant), every score here is highest at the
    fewest rows, at the most rows, or where the two arguments of min meet. The search prunes by that.
    """

    def __call__(self, rows: FloatArray, total: FloatArray) -> FloatArray:
        """Scores of slices with ``rows`` rows and a sum ``total`` of their loss, of one shape."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceLineScore:
    """α (mean loss in the slice − mean loss) / mean |loss| − (1 − α) (n / rows − 1).

    For a loss that is never negative this is the score of Sagadeeva & Boehm 2021, "SliceLine: Fast, Linear-Algebra-
    based Slice Finding for ML Model Debugging", SIGMOD, equation 1; for a signed one the excess is measured on the
    scale of what a row loses or gains on average.
    """

    alpha: float
    n: int
    mean: float
    scale: float

    @classmethod
    def of(cls, loss: FloatArray, alpha: float) -> SliceLineScore:
        return cls(alpha=alpha, n=len(loss), mean=float(loss.mean()), scale=float(np.abs(loss).mean()))

    def __call__(self, rows: FloatArray, total: FloatArray) -> FloatArray:
        excess = (total / rows - self.mean) / self.scale
        return self.alpha * excess - (1.0 - self.alpha) * (self.n / rows - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceScore:
    """(mean loss in the slice − mean loss) · √rows / standard deviation of the loss: by how many standard errors a
    slice of that many rows, drawn at random, would have to be off.

    SliceLine's term for size makes small slices of large tables score below 0 however much they lose; this one ranks
    by what another half of the rows can confirm.
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, loss: FloatArray) -> EvidenceScore:
        return cls(mean=float(loss.mean()), deviation=float(loss.std()))

    def __call__(self, rows: FloatArray, total: FloatArray) -> FloatArray:
        return (total - self.mean * rows) / (np.sqrt(rows) * self.deviation)
