"""Where every required claim stands, so that one of them can be changed and the outcome read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.decision.evidence import Claim
from evalkit.decision.family import p_broken
from evalkit.decision.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The required claims [n] with their p-values [n] of being broken, and which are inside their bar [n].

    ``is_barred`` says that no claim could make it a GO. Holm rejects some claim exactly where the smallest p-value
    times n is at most α, so that much of it decides the outcome.
    """

    claims: tuple[Claim, ...]
    p_values: NDArray[np.float64]
    is_inside: NDArray[np.bool_]
    confidence: float
    is_barred: bool

    @property
    def error(self) -> float:
        """α, the error that all claims share."""
        return 1.0 - self.confidence

    @property
    def is_enough(self) -> NDArray[np.bool_]:
        """Which claims [n] are each enough for a NO-GO."""
        return np.asarray(self.p_values * len(self.claims) <= self.error)

    @property
    def outcome(self) -> Outcome:
        """The outcome as it is."""
        return self._read(float(self.p_values.min(initial=1.0)), bool(self.is_inside.all()))

    def but_for(self, index: int) -> Callable[[Claim], Outcome]:
        """The outcome with another claim in the place of ``index``, all others held fixed."""
        others_p = float(np.delete(self.p_values, index).min(initial=1.0))
        others_inside = bool(np.delete(self.is_inside, index).all())

        def outcome(claim: Claim) -> Outcome:
            return self._read(min(others_p, float(p_broken([claim])[0])), others_inside and claim.is_inside)

        return outcome

    def _read(self, smallest_p: float, all_inside: bool) -> Outcome:
        if self.claims and smallest_p * len(self.claims) <= self.error:
            return Outcome.NO_GO
        is_go = bool(self.claims) and all_inside and not self.is_barred
        return Outcome.GO if is_go else Outcome.INCONCLUSIVE


def standing_of(claims: Sequence[Claim], confidence: float, *, is_barred: bool) -> Standing:
    """Where the required ones of ``claims`` stand."""
    required = tuple(claim for claim in claims if claim.requirement.required)
    return Standing(
        claims=required,
        p_values=p_broken(required),
        is_inside=np.array([claim.is_inside for claim in required], dtype=np.bool_),
        confidence=confidence,
        is_barred=is_barred,
    )
